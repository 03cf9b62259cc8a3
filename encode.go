package opsec

import (
	"time"
	"unicode/utf8"
)

// AppendJSON appends the event as one JSON object without a newline, and allocates only what b lacks. Bytes that are
// not UTF-8 become U+FFFD, control characters are escaped (nobody's terminal name can forge a line), and the value of
// a [Secret] is left out. [encoding/json.Unmarshal] into an Event reads it back.
func (e *Event) AppendJSON(b []byte) []byte {
	b = appendString(append(b, `{"id":`...), string(e.ID))
	b = appendTime(append(b, `,"time":`...), e.Time)
	b = appendField(b, "tenant", string(e.Tenant))
	b = appendField(b, "class", string(e.Class))
	b = appendField(b, "category", string(e.Category))
	b = appendField(b, "action", e.Action)
	b = appendField(b, "outcome", string(e.Outcome))
	b = appendField(b, "system", e.System)
	b = e.Actor.appendJSON(append(b, `,"actor":`...))
	if e.OnBehalfOf != nil {
		b = e.OnBehalfOf.appendJSON(append(b, `,"on_behalf_of":`...))
	}
	if (e.Resource != Resource{}) {
		b = appendField(append(b, `,"resource":{`...), "tenant", string(e.Resource.Tenant))
		b = appendField(b, "type", e.Resource.Type)
		b = append(appendField(b, "id", e.Resource.ID), '}')
	}
	b = appendList(b, `,"granted":[`, e.Granted)
	b = appendList(b, `,"cancelled":[`, e.Cancelled)
	if !e.Began.IsZero() {
		b = appendTime(append(b, `,"began":`...), e.Began)
	}
	b = appendField(b, "intent", string(e.Intent))
	b = appendField(b, "reason", e.Reason)
	for i := range e.Attrs {
		if i == 0 {
			b = append(b, `,"attrs":[`...)
		}
		b = append(e.Attrs[i].appendJSON(b), ',')
	}
	if len(e.Attrs) > 0 {
		b[len(b)-1] = ']'
	}
	return append(b, '}')
}

// MarshalJSON implements [encoding/json.Marshaler] by [Event.AppendJSON].
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(make([]byte, 0, 512)), nil }

// MarshalJSON implements [encoding/json.Marshaler], without the value of a [Secret].
func (a Attr) MarshalJSON() ([]byte, error) { return a.appendJSON(nil), nil }

func (a *Attr) appendJSON(b []byte) []byte {
	b = appendField(append(b, '{'), "key", a.Key)
	if a.Mark != Secret {
		b = appendField(b, "value", a.Value)
	}
	return append(appendField(b, "mark", string(a.Mark)), '}')
}

func (a *Actor) appendJSON(b []byte) []byte {
	b = appendField(append(b, '{'), "tenant", string(a.Tenant))
	b = appendField(b, "account", a.Account)
	b = appendField(b, "person", a.Person)
	b = appendField(b, "kind", string(a.Kind))
	b = appendField(b, "session", a.Session)
	if a.IP.IsValid() {
		var text [64]byte // no allocation: an address with a zone may be longer, and then allocates
		b = appendField(b, "ip", string(a.IP.AppendTo(text[:0])))
	}
	return append(appendField(b, "terminal", a.Terminal), '}')
}

// appendField writes "name":value, unless the value is empty, with a comma before it unless it is an object's first.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return appendString(append(append(append(b, '"'), name...), '"', ':'), value)
}

func appendList(b []byte, name string, list []string) []byte {
	for i, s := range list {
		if i == 0 {
			b = append(b, name...)
		}
		b = append(appendString(b, s), ',')
	}
	if len(list) > 0 {
		b[len(b)-1] = ']'
	}
	return b
}

// appendTime writes RFC 3339 in UTC with as many digits as the time has; Validate has bounded the year.
func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

// appendString writes a JSON string (RFC 8259, section 7). Like encoding/json it escapes U+2028 and U+2029, which
// older JavaScript takes for line ends, and beyond it DEL and the C1 controls, which terminals obey.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20, 0x7f <= r && r <= 0x9f, r == '\u2028', r == '\u2029':
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			b = utf8.AppendRune(b, r) // U+FFFD for a byte that is not UTF-8
		}
	}
	return append(b, '"')
}
