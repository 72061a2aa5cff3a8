"""From files to symbols: readers, vocabularies and the lanes a stream is read in."""
