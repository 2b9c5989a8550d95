-- Schema 6: the rooms.

-- Of a DICOM file: which frame and window of it people see (JSON of formats/dicom.View).
ALTER TABLE item ADD COLUMN dicom TEXT;
