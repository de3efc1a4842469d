"""The rows of runs, as they are looked at afterwards: every planned row of a run, page by page, and what became of one row
in all of them. Read from the files in the runs' folders and from the ledger alone; nothing here writes.

`shelf` has the files, `rows` what the rows of a run are, `search` which of them are asked for, `browse` a page of those, `count`
how many there are of each kind, `one` a row whole, `legacy` what it comes from, `outcome` and `findings` what came of it, `fates`
what a run made of a key, `history` all runs, `answer` the last word on a row.
"""
