package device

import (
	"context"
	"net/netip"
)

// Class is from where a guess comes, in the words of package lockout: lockout.Class(c) converts it.
type Class string

// The classes.
const (
	Unknown Class = ""         // anybody
	Known   Class = "familiar" // a network that the account has logged in from before
	Trusted Class = "trusted"  // a device that holds a token
)

// Origin is from where a guess comes.
type Origin struct {
	Class  Class
	Device string // of Trusted alone: [Device].ID
	Doubt  error  // why the token does not count; nil when there is none. For the log, not for the page
}

// Classifier says from where guesses come.
type Classifier struct {
	Tokens   *Tokens
	Familiar *Familiar // nil: no network is familiar
}

// Classify looks at the token, which may be empty, and at the address. It never fails: what cannot be decided is the stricter class.
func (c Classifier) Classify(ctx context.Context, who Owner, token string, ip netip.Addr) Origin {
	var o Origin
	if token != "" && c.Tokens != nil {
		d, err := c.Tokens.Check(ctx, who, token)
		if err == nil {
			return Origin{Class: Trusted, Device: d.ID}
		}
		o.Doubt = err
	}
	if c.Familiar.Known(who, ip) {
		o.Class = Known
	}
	return o
}
