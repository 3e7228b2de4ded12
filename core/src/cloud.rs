//! The CloudHub side.
