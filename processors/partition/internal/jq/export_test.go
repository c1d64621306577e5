package jq

// Refusals are what cannot be used, by name.
func Refusals() map[string]string { return refusals() }
