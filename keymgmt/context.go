package keymgmt

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The bounds of a [Context].
const (
	MaxContextNames = 64
	MaxContextBytes = 8 << 10 // of the encoding
)

const (
	contextVersion  = 1
	reservedContext = "opsec." // names that begin so are this module's own
)

// Context is an encryption context: names and values that are bound to a ciphertext as associated data, and not kept in
// it. Who opens it has to know them. The zero Context is the empty one. Contexts with the same encoding are the same.
type Context struct{ encoded []byte }

// NewContext returns the context of names and values in turn, in any order of the names. It returns an error that wraps
// [opsec.ErrInvalid] for a name without value, more than [MaxContextNames] names, a name that is empty or there twice or
// begins with "opsec.", texts that are not UTF-8, and an encoding of more than [MaxContextBytes].
//
// The encoding, version 1, is the byte 1, then for each name in bytewise order the length of the name (4 bytes, big
// endian), the name, the length of the value (likewise), the value.
func NewContext(namesAndValues ...string) (Context, error) {
	if len(namesAndValues)%2 != 0 {
		return Context{}, invalid("context: %d texts, want names and values in turn", len(namesAndValues))
	}
	size := 1
	for i := 0; i < len(namesAndValues); i += 2 {
		name, value := namesAndValues[i], namesAndValues[i+1]
		switch {
		case name == "" || !utf8.ValidString(name) || !utf8.ValidString(value):
			return Context{}, invalid("context: name %d: want a name that is not empty, and UTF-8", i/2)
		case strings.HasPrefix(name, reservedContext):
			return Context{}, invalid("context: name %d begins with %q, which is reserved", i/2, reservedContext)
		}
		size += 8 + len(name) + len(value)
	}
	if len(namesAndValues)/2 > MaxContextNames || size > MaxContextBytes {
		return Context{}, invalid("context: %d names in %d bytes, want at most %d in %d",
			len(namesAndValues)/2, size, MaxContextNames, MaxContextBytes)
	}
	c, twice := encodeContext(namesAndValues, size)
	if twice {
		return Context{}, invalid("context: a name is there twice")
	}
	return c, nil
}

func encodeContext(namesAndValues []string, size int) (c Context, twice bool) {
	pairs := slices.SortedFunc(slices.Chunk(namesAndValues, 2), func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	b := append(make([]byte, 0, size), contextVersion)
	for i, pair := range pairs {
		twice = twice || i > 0 && pair[0] == pairs[i-1][0]
		for _, text := range pair {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
		}
	}
	return Context{slices.Clip(b)}, twice
}

// Bytes returns the encoding: the associated data that another implementation of Tink needs. It does not copy: do not
// change them.
func (c Context) Bytes() []byte {
	if c.encoded == nil {
		return []byte{contextVersion}
	}
	return c.encoded
}

// MaterialContext returns the context that the material of a key is wrapped under: its tenant, its keyset and its id in
// 8 hexadecimal digits, as opsec.tenant, opsec.keyset and opsec.key. Material that is moved to another key's record does
// not open there.
func MaterialContext(ref Ref) Context {
	c, _ := encodeContext([]string{
		"opsec.tenant", string(ref.Set.Tenant), "opsec.keyset", ref.Set.ID, "opsec.key", fmt.Sprintf("%08x", ref.Key),
	}, 128)
	return c
}
