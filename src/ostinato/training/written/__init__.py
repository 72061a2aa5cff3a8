"""What models that write sequences share: how they are looked for, what comes of it, and how it is said."""
