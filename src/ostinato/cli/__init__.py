"""The command line: one short file a command. Each parses, calls one public function and prints."""
