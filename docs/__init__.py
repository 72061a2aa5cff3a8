"""What is written about Ostinato: design notes, the log, and the site made of them and of the catalogue."""
