"""Backups of a data folder that can be made while its server runs (docs/backup.md).

```
chorus-backups.json            says that these are backups, and of which format
snapshots/<id>.json            one moment: the database's parts, and lists of files
objects/ab/<sha256>            a file; of the database and of lists a part, packed: <sha256>.z
```
Objects are named by their content, as in git: what a later backup has in common with an earlier one
is there already, and is not written again.
"""
