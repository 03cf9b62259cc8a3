package statement

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Claim is what was promised of a class of data in one place, as a clause of an agreement says it. It is data.
type Claim struct {
	Data         string        `json:"data"`
	Where        Where         `json:"where"`
	Strength     int           `json:"strength"`                // bits of security at least; 1 to 1024
	Algorithms   []string      `json:"algorithms,omitempty"`    // that may be used; none for all of Strength
	Protocols    []string      `json:"protocols,omitempty"`     // that may be used; none for all
	KeyExchanges []string      `json:"key_exchanges,omitempty"` // of keys, that may be used; none for all
	Mutual       bool          `json:"mutual,omitempty"`        // both sides show a certificate
	OwnKeys      bool          `json:"own_keys,omitempty"`      // under keys of this tenant alone
	SeenWithin   time.Duration `json:"seen_within,omitempty"`   // before the statement: an older look at a channel does not count; 0 for any
}

type claimJSON struct {
	Data         string              `json:"data"`
	Where        Where               `json:"where"`
	Strength     int                 `json:"strength"`
	Algorithms   []string            `json:"algorithms,omitempty"`
	Protocols    []string            `json:"protocols,omitempty"`
	KeyExchanges []string            `json:"key_exchanges,omitempty"`
	Mutual       bool                `json:"mutual,omitempty"`
	OwnKeys      bool                `json:"own_keys,omitempty"`
	SeenWithin   strictjson.Duration `json:"seen_within,omitempty"`
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names what is wrong.
func (c Claim) Validate() error {
	switch {
	case c.Data == "" || !text(c.Data) || !c.Where.valid():
		return invalid("claim.data, where: want 1 to %d bytes of one line, and storage, transit or backup", maxText)
	case c.Strength < 1 || c.Strength > 1024:
		return invalid("claim.strength: %d: want 1 to 1024 bits", c.Strength)
	case max(len(c.Algorithms), len(c.Protocols), len(c.KeyExchanges)) > 100:
		return invalid("claim.algorithms, protocols, key_exchanges: want at most 100 each")
	case c.SeenWithin < 0:
		return invalid("claim.seen_within: negative")
	case c.Where != Transit && (len(c.Protocols)+len(c.KeyExchanges) > 0 || c.Mutual || c.SeenWithin > 0):
		return invalid("claim.protocols, key_exchanges, mutual, seen_within: belong to transit")
	}
	return nil
}

// MarshalJSON implements [json.Marshaler]; the duration is a text.
func (c Claim) MarshalJSON() ([]byte, error) {
	return json.Marshal(claimJSON{
		c.Data, c.Where, c.Strength, c.Algorithms, c.Protocols, c.KeyExchanges, c.Mutual, c.OwnKeys, strictjson.Duration(c.SeenWithin),
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. Unknown names are refused, and what Validate refuses.
func (c *Claim) UnmarshalJSON(b []byte) error {
	var read claimJSON
	if err := strictjson.Decode(b, &read); err != nil {
		return invalid("claim: %v", err)
	}
	claim := Claim{read.Data, read.Where, read.Strength, read.Algorithms, read.Protocols, read.KeyExchanges, read.Mutual, read.OwnKeys, time.Duration(read.SeenWithin)}
	if err := claim.Validate(); err != nil {
		return err
	}
	*c = claim
	return nil
}

// Kind says how the state of things differs from what was promised.
type Kind string

// The kinds of discrepancies.
const (
	Uncovered   Kind = "uncovered"   // promised, and nothing declares how such data is protected
	Unclaimed   Kind = "unclaimed"   // declared, and no promise is about it
	InClear     Kind = "in-clear"    // not encrypted
	Weak        Kind = "weak"        // fewer bits than promised
	Other       Kind = "other"       // an algorithm, protocol or key exchange that was not promised
	OneSided    Kind = "one-sided"   // only one side shows a certificate
	Shared      Kind = "shared"      // under keys that are not the tenant's own
	Expired     Kind = "expired"     // a key is used beyond its period
	Compromised Kind = "compromised" // data may still be under a compromised key
	NoKey       Kind = "no-key"      // no key protects what is written now
	Stale       Kind = "stale"       // nobody has looked lately
)

// Discrepancy is one difference.
type Discrepancy struct {
	Kind  Kind          `json:"kind"`
	Data  string        `json:"data"`
	Where Where         `json:"where"`
	At    string        `json:"at,omitempty"`
	Set   keymgmt.SetID `json:"set,omitzero"`
	Key   uint32        `json:"key,omitempty"`
	Why   string        `json:"why"`
}

// String returns it for people to read.
func (d Discrepancy) String() string {
	s := string(d.Where) + " " + d.Data
	if d.At != "" {
		s += " at " + d.At
	}
	if d.Key != 0 {
		s += fmt.Sprintf(", key %d of %s", d.Key, d.Set)
	} else if d.Set.ID != "" {
		s += ", keyset " + d.Set.String()
	}
	return s + ": " + string(d.Kind) + ": " + d.Why
}

// Check compares the statement with what was promised, at the time of the statement. All claims about the same data and
// place hold together. No discrepancies means that the promises are kept, as far as the declarations go. Claims that are
// not valid are a discrepancy too: nobody keeps them.
func (s Statement) Check(claims []Claim) (list []Discrepancy) {
	for _, c := range claims {
		if err := c.Validate(); err != nil {
			list = append(list, Discrepancy{Kind: Uncovered, Data: c.Data, Where: c.Where, Why: err.Error()})
			continue
		}
		covered := false
		for _, e := range s.Entries {
			if e.Data == c.Data && e.Where == c.Where {
				covered = true
				list = append(list, s.compare(e, c)...)
			}
		}
		if !covered {
			list = append(list, Discrepancy{Kind: Uncovered, Data: c.Data, Where: c.Where, Why: "nothing says how such data is protected there"})
		}
	}
	for _, e := range s.Entries {
		if !slices.ContainsFunc(claims, func(c Claim) bool { return e.Data == c.Data && e.Where == c.Where }) {
			list = append(list, e.is(Unclaimed, "no promise is about it"))
		}
		list = append(list, s.life(e)...)
	}
	slices.SortFunc(list, func(a, b Discrepancy) int {
		return cmp.Or(order(a.entry(), b.entry()), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Why, b.Why))
	})
	return slices.Compact(list) // two claims may find the same
}

// entry is what the discrepancy is about, to be put in order.
func (d Discrepancy) entry() Entry {
	return Entry{Data: d.Data, Where: d.Where, At: d.At, Set: d.Set, Key: d.Key}
}

func (e Entry) is(k Kind, why string) Discrepancy {
	return Discrepancy{k, e.Data, e.Where, e.At, e.Set, e.Key, why}
}

// used reports whether data may still be under the key of an entry.
func (e Entry) used() bool { return e.Primary || e.Objects == nil || *e.Objects > 0 }

// compare says how an entry differs from a claim about it.
func (s Statement) compare(e Entry, c Claim) (list []Discrepancy) {
	add := func(k Kind, format string, args ...any) { list = append(list, e.is(k, fmt.Sprintf(format, args...))) }
	switch {
	case e.Clear():
		add(InClear, "encryption is promised")
		return list
	case e.Set.ID != "" && (e.Key == 0 || !e.used()):
		return nil // a keyset without keys: see life
	}
	if e.Strength < c.Strength {
		add(Weak, "%s has %d bits, promised are %d", e.Algorithm, e.Strength, c.Strength)
	}
	one := func(what, have string, want []string) {
		if len(want) > 0 && !slices.Contains(want, have) {
			add(Other, "%s %q, promised is %s", what, have, strings.Join(want, " or "))
		}
	}
	one("algorithm", e.Algorithm, c.Algorithms)
	one("protocol", e.Protocol, c.Protocols)
	one("key exchange", e.KeyExchange, c.KeyExchanges)
	if c.Mutual && !e.Mutual {
		add(OneSided, "certificates of both sides are promised")
	}
	if c.OwnKeys && e.Set.ID != "" && e.Set.Tenant != s.Tenant {
		add(Shared, "keys of its own are promised")
	}
	if c.SeenWithin > 0 && e.Protocol != "" && (s.Time.Sub(e.Seen) > c.SeenWithin || e.Seen.After(s.Time)) {
		add(Stale, "last seen %s, promised is a look every %s", e.Seen.Format(time.RFC3339), c.SeenWithin)
	}
	return list
}

// life says what is wrong with the key of an entry, whatever was promised.
func (s Statement) life(e Entry) (list []Discrepancy) {
	if e.Set == (keymgmt.SetID{}) {
		return nil
	}
	past := func(t time.Time) bool { return !t.IsZero() && !s.Time.Before(t) }
	switch {
	case e.Key == 0:
		list = append(list, e.is(NoKey, "the keyset has no primary key"))
	case e.Primary && !e.State.Allows(keymgmt.Protect) && !e.State.Allows(keymgmt.Wrap):
		list = append(list, e.is(NoKey, "the primary key may not protect"))
	case e.Primary && past(e.ProtectUntil):
		list = append(list, e.is(Expired, "protects beyond "+e.ProtectUntil.Format(time.RFC3339)))
	}
	if e.Key != 0 && e.used() && past(e.ProcessUntil) {
		list = append(list, e.is(Expired, "data may be under it beyond "+e.ProcessUntil.Format(time.RFC3339)))
	}
	if (e.State == keymgmt.Compromised || !e.Compromised.IsZero()) && e.used() {
		list = append(list, e.is(Compromised, "data may still be under it"))
	}
	return list
}
