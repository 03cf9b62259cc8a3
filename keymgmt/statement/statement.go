package statement

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Where is where data is.
type Where string

// The places.
const (
	Storage Where = "storage"
	Transit Where = "transit"
	Backup  Where = "backup"
)

func (w Where) valid() bool { return w == Storage || w == Transit || w == Backup }

// Use declares how data of some class is protected in some place. Exactly one of the last three is set.
type Use struct {
	Data  string `json:"data"`  // the class, in the words of the agreement; 1 to 256 bytes of one line
	Where Where  `json:"where"` // in which of its places
	At    string `json:"at"`    // which system or connection; 1 to 256 bytes of one line

	Keyset  keymgmt.SetID `json:"keyset,omitzero"`   // it is encrypted under its keys
	Channel *Channel      `json:"channel,omitempty"` // it travels through this
	Clear   bool          `json:"clear,omitempty"`   // it is not encrypted
}

// Channel is what was seen of connections: the weakest of them, when they differ.
type Channel struct {
	Protocol    string    `json:"protocol"`               // such as "TLS 1.3", as [crypto/tls.VersionName] has it
	Cipher      string    `json:"cipher"`                 // such as "TLS_AES_128_GCM_SHA256", as [crypto/tls.CipherSuiteName] has it
	KeyExchange string    `json:"key_exchange,omitempty"` // such as "X25519MLKEM768", as [crypto/tls.CurveID] has it
	Mutual      bool      `json:"mutual,omitempty"`       // both sides have shown a certificate
	Seen        time.Time `json:"seen"`                   // not after the statement
}

// Keys is where keysets and keys are read; a lifecycle.Manager has both.
type Keys interface {
	Keyset(ctx context.Context, id keymgmt.SetID) (keymgmt.Keyset, error)
	// Keys yields all keys of a keyset.
	Keys(ctx context.Context, id keymgmt.SetID) iter.Seq2[keymgmt.Key, error]
}

// Statement is what is encrypted how, at one time. It is plain data.
type Statement struct {
	Tenant  opsec.TenantID `json:"tenant"`
	Time    time.Time      `json:"time"`
	Entries []Entry        `json:"entries"` // in order of data, where, at, newest key first
}

// Entry is one kind of data in one place under one key, or through one kind of channel.
type Entry struct {
	Data  string `json:"data"`
	Where Where  `json:"where"`
	At    string `json:"at"`

	Algorithm string `json:"algorithm,omitempty"` // of the key, or the cipher suite; none when in clear
	Strength  int    `json:"strength"`            // bits of security; 0 when not known

	Set          keymgmt.SetID `json:"set,omitzero"`
	Key          uint32        `json:"key,omitempty"`     // 0: none protects what is written now
	Primary      bool          `json:"primary,omitempty"` // it protects what is written now
	State        keymgmt.State `json:"state,omitzero"`
	Since        time.Time     `json:"since,omitzero"` // its activation
	ProtectUntil time.Time     `json:"protect_until,omitzero"`
	ProcessUntil time.Time     `json:"process_until,omitzero"`
	Compromised  time.Time     `json:"compromised,omitzero"` // since when, whatever the state
	Objects      *uint64       `json:"objects,omitempty"`    // left under it, by its last census

	Protocol    string    `json:"protocol,omitempty"`
	KeyExchange string    `json:"key_exchange,omitempty"`
	Mutual      bool      `json:"mutual,omitempty"`
	Seen        time.Time `json:"seen,omitzero"`
}

// Clear reports whether the data is not encrypted.
func (e Entry) Clear() bool { return e.Algorithm == "" && e.Set.ID == "" && e.Protocol == "" }

const (
	maxUses    = 10_000
	maxEntries = 100_000
	maxText    = 256
)

// Build states what these uses amount to at the time now. An error wraps [opsec.ErrInvalid] when a use is malformed, or is
// one of the keys', such as [opsec.ErrNotFound]. Keysets may be the tenant's or [opsec.Provider]'s.
func Build(ctx context.Context, keys Keys, tenant opsec.TenantID, uses []Use, now time.Time) (Statement, error) {
	s := Statement{Tenant: tenant, Time: now.UTC()}
	if err := tenant.Validate(); err != nil {
		return s, err
	}
	if len(uses) > maxUses {
		return s, invalid("uses: %d: want at most %d", len(uses), maxUses)
	}
	for i, u := range uses {
		if err := u.validate(tenant, s.Time); err != nil {
			return s, fmt.Errorf("uses[%d]: %w", i, err)
		}
		list, err := u.entries(ctx, keys)
		if err != nil {
			return s, fmt.Errorf("uses[%d]: %w", i, err)
		}
		if s.Entries = append(s.Entries, list...); len(s.Entries) > maxEntries {
			return s, invalid("uses[%d]: more than %d entries", i, maxEntries)
		}
	}
	slices.SortStableFunc(s.Entries, order)
	return s, nil
}

func order(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Data, b.Data), cmp.Compare(a.Where, b.Where), cmp.Compare(a.At, b.At),
		cmp.Compare(a.Set.ID, b.Set.ID), cmp.Compare(b.Key, a.Key))
}

// text reports whether s is one line of at most maxText bytes, so that it is the same in JSON and forges no other line.
func text(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func (u Use) validate(tenant opsec.TenantID, now time.Time) error {
	set := 0
	for _, is := range []bool{u.Keyset.ID != "", u.Channel != nil, u.Clear} {
		if is {
			set++
		}
	}
	switch {
	case u.Data == "" || !text(u.Data) || u.At == "" || !text(u.At):
		return invalid("data, at: want 1 to %d bytes of one line each", maxText)
	case !u.Where.valid():
		return invalid("where: want storage, transit or backup")
	case set != 1 || u.Channel != nil && u.Where != Transit:
		return invalid("%d of keyset, channel, clear: want one, a channel in transit", set)
	case u.Keyset.ID != "" && u.Keyset.Tenant != tenant && u.Keyset.Tenant != opsec.Provider:
		return invalid("keyset: of another tenant")
	case u.Channel != nil && (u.Channel.Protocol == "" || u.Channel.Seen.IsZero() || u.Channel.Seen.After(now)):
		return invalid("channel: want a protocol, and when it was seen, not later than now")
	case u.Channel != nil && !(text(u.Channel.Protocol) && text(u.Channel.Cipher) && text(u.Channel.KeyExchange)):
		return invalid("channel: protocol, cipher, key_exchange: want at most %d bytes of one line each", maxText)
	}
	return nil
}

func (u Use) entries(ctx context.Context, keys Keys) (list []Entry, err error) {
	base := Entry{Data: u.Data, Where: u.Where, At: u.At}
	if c := u.Channel; c != nil {
		base.Algorithm, base.Strength = c.Cipher, cipherStrength(c.Cipher)
		base.Protocol, base.KeyExchange, base.Mutual, base.Seen = c.Protocol, c.KeyExchange, c.Mutual, c.Seen.UTC()
		return []Entry{base}, nil
	}
	if u.Clear {
		return []Entry{base}, nil
	}
	base.Set = u.Keyset
	set, err := keys.Keyset(ctx, u.Keyset)
	for range tries {
		if err == nil {
			list, err = under(ctx, keys, set, base)
		}
		if err != nil {
			return nil, err
		}
		before := set.Generation
		if set, err = keys.Keyset(ctx, u.Keyset); err == nil && set.Generation == before {
			return list, nil
		}
	}
	return nil, cmp.Or(err, fmt.Errorf("statement: keyset %s has changed each time that it was read", u.Keyset))
}

// tries is how often a keyset is read that changes meanwhile: it and its keys are not read at once.
const tries = 5

// under returns the entries of a keyset's keys.
func under(ctx context.Context, keys Keys, set keymgmt.Keyset, base Entry) (list []Entry, err error) {
	for k, err := range keys.Keys(ctx, base.Set) {
		if err != nil {
			return nil, err
		}
		if k.State.Final() {
			continue
		}
		e := base
		e.Key, e.Primary, e.State = k.Ref.Key, k.Ref.Key == set.Primary, k.State
		e.Algorithm, e.Strength = string(k.Algorithm), k.Algorithm.Strength()
		e.Since, e.ProtectUntil, e.ProcessUntil, e.Compromised = k.Activated, k.ProtectUntil, k.ProcessUntil, k.Compromised
		if k.Census != nil {
			e.Objects = new(k.Census.Objects)
		}
		if list = append(list, e); len(list) > maxEntries {
			return nil, invalid("keyset: more than %d keys", maxEntries)
		}
	}
	if !slices.ContainsFunc(list, func(e Entry) bool { return e.Primary }) {
		list = append(list, base) // so that it shows
	}
	return list, nil
}

// cipherStrength returns the bits of security of a TLS cipher suite's encryption, by the name that IANA gave it; 0 for
// none, and for what is broken.
func cipherStrength(name string) int {
	for _, c := range []struct {
		part string
		bits int
	}{{"_AES_256_", 256}, {"_CHACHA20_POLY1305", 256}, {"_AES_128_", 128}, {"_3DES_EDE_", 112}} {
		if strings.Contains(name, c.part) {
			return c.bits
		}
	}
	return 0
}

// Digest returns what names the statement: "sha256:" and 64 hexadecimal digits, of its JSON.
func (s Statement) Digest() string {
	b, _ := json.Marshal(s) // of plain fields
	sum := sha256.Sum256(append([]byte("opsec/statement/v1\n"), b...))
	return "sha256:" + hex.EncodeToString(sum[:])
}

const maxStatement = 64 << 20 // bytes of JSON

// UnmarshalJSON implements [json.Unmarshaler]. Unknown names are refused, and entries out of order.
func (s *Statement) UnmarshalJSON(b []byte) error {
	type plain Statement
	var read plain
	if len(b) > maxStatement {
		return invalid("statement: %d bytes: want at most %d", len(b), maxStatement)
	}
	if err := strictjson.Decode(b, &read); err != nil {
		return invalid("statement: %v", err)
	}
	if err := read.Tenant.Validate(); err != nil {
		return err
	}
	if len(read.Entries) > maxEntries || !slices.IsSortedFunc(read.Entries, order) {
		return invalid("statement.entries: %d: want at most %d, in order", len(read.Entries), maxEntries)
	}
	for i, e := range read.Entries {
		if e.Data == "" || !text(e.Data) || !e.Where.valid() || e.At == "" || !text(e.At) || e.Strength < 0 {
			return invalid("statement.entries[%d]: want data, where, at, and no negative strength", i)
		}
	}
	*s = Statement(read)
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("statement: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
