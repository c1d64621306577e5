package jq

// Refusals are what cannot be used, by name.
func Refusals() map[string]string { return refusals() }

// Regexps is how many regular expressions a runner keeps, and their bytes.
func (r *Runner) Regexps() (n, bytes int) { return len(r.machine.regexps), r.machine.regexpBytes }
