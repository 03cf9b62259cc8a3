// Package statement lets a tenant verify, on a machine of its own, what a provider has handed to it from a transparency
// log: that every event is what was written at the time, and that none of them is missing.
//
//	found, err := statement.Read(file, statement.Options{Trust: trust, Each: func(e *opsec.Event) error { ... }})
//
// # How
//
// Each of a tenant's events says which one it is and names the one before it. An epoch, every few seconds, binds the
// ends of all tenants' chains under one root. A [Statement] leads from a signed checkpoint to an epoch, and from there
// to the end of one chain; the events then lead back to the first, or to the first that was not pruned.
//
// # What it does not show
//
// That what happened was written at all, and written under this tenant's tag: a tenant keeps the tag of its first export
// and gives it to [Options], and can compare the receipts of what it knows to have happened.
package statement
