package esarchive

// settings are what a Config says, with its defaults.
type settings struct{ Config }
