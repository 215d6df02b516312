//! Bad input ends in a clear error with its exit code, and never in a write to a destination.

#[path = "bad_input/arguments.rs"]
mod arguments;
#[path = "bad_input/entries.rs"]
mod entries;
#[path = "bad_input/objects.rs"]
mod objects;
