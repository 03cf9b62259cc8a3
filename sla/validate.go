package sla

// Validate is to come.
func (a *Agreement) Validate() error { return nil }
