//! Commands as a user types them, against a stand-in for the API.
