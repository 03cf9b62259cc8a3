package hash

// Watch calls f with 1 and -1 around every computation.
func Watch(p *Pool, f func(int64)) { p.watch = f }

// Written is the text of an argon2 form.
func Written(f Form) string { return f.encode(f.Peppers, f.output) }
