//! What the object stores of all clouds have in common: URLs, retries, streamed uploads in parts, reads that resume.
//! Each backend brings its requests and a judgement of their failures; everything else is decided here once.

pub(crate) mod attempts;
pub(crate) mod failure;
pub(crate) mod pages;
pub(crate) mod parts;
pub(crate) mod resume;
pub(crate) mod trust;
pub(crate) mod upload;
pub(crate) mod url;
