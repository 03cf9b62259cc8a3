package envelope

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Limits bound the cache of data keys. The zero Limits caches nothing: each message has a data key of its own, and each
// opening asks for its key. Otherwise all are required; nothing is unlimited by being left out. In JSON, Age is a text
// such as "5m0s", and unknown names are refused.
type Limits struct {
	Age      time.Duration // from its making or unwrapping, how long a data key is used
	Messages int64         // that one data key encrypts, 1 to [MaxMessages]
	Bytes    int64         // of plaintext that one data key encrypts
	Entries  int           // data keys in the cache, of all tenants and contexts together
	Memory   int64         // bytes that the cache takes, about
}

// MaxMessages is the most that one AES-GCM key may encrypt with random nonces of 96 bits, over all nodes: NIST SP
// 800-38D, section 8.3. A data key never leaves the node that has made it for encrypting.
const MaxMessages = 1 << 32

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (l Limits) Validate() error {
	switch {
	case l == Limits{}:
		return nil
	case l.Age <= 0:
		return outOfBounds("Age", l.Age, "more than 0")
	case l.Messages < 1 || l.Messages > MaxMessages:
		return outOfBounds("Messages", l.Messages, "1 to 2^32")
	case l.Bytes < 1:
		return outOfBounds("Bytes", l.Bytes, "1 or more")
	case l.Entries < 1:
		return outOfBounds("Entries", l.Entries, "1 or more")
	case l.Memory < 1:
		return outOfBounds("Memory", l.Memory, "1 or more")
	}
	return nil
}

func outOfBounds(field string, value any, want string) error {
	return invalid("limits: %s is %v, want %s", field, value, want)
}

// limitsText is Limits as they stand in a file.
type limitsText struct {
	Age      strictjson.Duration `json:"age,omitempty"`
	Messages int64               `json:"messages,omitempty"`
	Bytes    int64               `json:"bytes,omitempty"`
	Entries  int                 `json:"entries,omitempty"`
	Memory   int64               `json:"memory,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (l Limits) MarshalJSON() ([]byte, error) {
	return json.Marshal(limitsText{strictjson.Duration(l.Age), l.Messages, l.Bytes, l.Entries, l.Memory})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves l as it was when it fails.
func (l *Limits) UnmarshalJSON(data []byte) error {
	var t limitsText
	if err := strictjson.Decode(data, &t); err != nil {
		return fmt.Errorf("envelope: limits: %w: %w", err, opsec.ErrInvalid)
	}
	read := Limits{time.Duration(t.Age), t.Messages, t.Bytes, t.Entries, t.Memory}
	if err := read.Validate(); err != nil {
		return err
	}
	*l = read
	return nil
}
