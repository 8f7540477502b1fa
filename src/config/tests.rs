//! Claims about the configuration that need its insides.
