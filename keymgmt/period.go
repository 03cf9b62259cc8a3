package keymgmt

import "time"

// Periods returns when a key that is activated at that time stops protecting, and when it stops processing.
func (p Policy) Periods(activation time.Time) (protectUntil, processUntil time.Time) {
	at := instant(activation)
	return at.Add(p.OriginatorUsage), at.Add(p.RecipientUsage)
}
