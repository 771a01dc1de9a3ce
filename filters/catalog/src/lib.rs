//! The one list of Ferrule's filters.
