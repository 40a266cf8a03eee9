//! The nouns of Onward: ids, the life cycle, records and errors.
