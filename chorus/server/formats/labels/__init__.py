"""Reading labels from files of many tools: one module per format, all giving `LabelRow`s."""
