package entry

import (
	"cmp"
	"encoding/binary"
	"time"

	"github.com/cloudopsec/opsec"
)

// Group says whose a field of an event is: under which subject's key it is sealed.
type Group byte

// The groups.
const (
	GroupTenant   Group = 1 // the tenant whose record it is: all that is not personal
	GroupActor    Group = 2 // opsec.Event.Actor
	GroupOnBehalf Group = 3 // opsec.Event.OnBehalfOf
	GroupAbout    Group = 4 // another subject, which Scribe.SubjectOf has named
)

// Field is a field of an event that is committed to and sealed, as one is asked whether to show it. Its name is that
// of the JSON form: "system", "resource", "granted", "cancelled", "began", "intent", "reason"; "actor.account",
// "actor.person", "actor.session", "actor.ip", "actor.terminal", and the same of "on_behalf_of"; "attrs." and the key
// of an attribute. "tenant" is the tenant's id together with tenant and kind of the actors.
type Field struct {
	Group   Group
	Subject Handle            // whose it is
	Name    string            // what it is called
	Mark    opsec.Sensitivity // how sensitive it is; that of an attribute may be empty, which counts as Personal
}

// The codes of fields in a skeleton. Within a group they ascend.
const (
	codeOrigin    byte = 1 // the tenant's id; tenant and kind of the actor; tenant and kind of whom it acts for
	codeSystem    byte = 2
	codeResource  byte = 3 // tenant, type, id
	codeGranted   byte = 4
	codeCancelled byte = 5
	codeBegan     byte = 6 // seconds since 1970 and nanoseconds, big endian
	codeIntent    byte = 7
	codeReason    byte = 8

	codeAccount  byte = 16
	codePerson   byte = 17
	codeSession  byte = 18
	codeIP       byte = 19 // 4 bytes, or 16 and the zone
	codeTerminal byte = 20

	codeAttr byte = 32 // followed by its position among all attributes, its mark, its key
)

// slot is a field's line in the skeleton.
type slot struct {
	code byte
	pos  int
	mark opsec.Sensitivity
	key  []byte
}

// name is Field.Name; kind is the group's.
func (f *slot) name(kind Group) string {
	switch {
	case f.code == codeAttr:
		return "attrs." + string(f.key)
	case f.code < codeAccount:
		return [...]string{"tenant", "system", "resource", "granted", "cancelled", "began", "intent", "reason"}[f.code-codeOrigin]
	case kind == GroupOnBehalf:
		return [...]string{
			"on_behalf_of.account", "on_behalf_of.person", "on_behalf_of.session", "on_behalf_of.ip", "on_behalf_of.terminal",
		}[f.code-codeAccount]
	}
	return [...]string{"actor.account", "actor.person", "actor.session", "actor.ip", "actor.terminal"}[f.code-codeAccount]
}

func (f *slot) sensitivity(kind Group) opsec.Sensitivity {
	switch {
	case f.code == codeAttr:
		return f.mark
	case kind == GroupTenant:
		return opsec.Tenant
	}
	return opsec.Personal
}

// set gives the event the field's value. It reports false for what no Scribe writes.
func (f *slot) set(e *opsec.Event, kind Group, value []byte) bool {
	who := &e.Actor
	if kind == GroupOnBehalf {
		who = e.OnBehalfOf
	}
	switch f.code {
	case codeOrigin:
		return setOrigin(e, value)
	case codeResource:
		parts, ok := readList(value, 3)
		if ok = ok && len(parts) == 3; ok {
			e.Resource = opsec.Resource{Tenant: opsec.TenantID(parts[0]), Type: parts[1], ID: parts[2]}
		}
		return ok
	case codeGranted, codeCancelled:
		list, ok := readList(value, opsec.MaxAttrs)
		if f.code == codeGranted {
			e.Granted = list
		} else {
			e.Cancelled = list
		}
		return ok && len(list) > 0
	case codeBegan:
		if len(value) != 12 {
			return false
		}
		e.Began = time.Unix(int64(binary.BigEndian.Uint64(value)), int64(binary.BigEndian.Uint32(value[8:]))).UTC()
		return e.Began.Year() >= 1 && e.Began.Year() <= 9999
	case codeIP:
		return who.IP.UnmarshalBinary(value) == nil && who.IP.IsValid()
	case codeAttr:
		e.Attrs[f.pos].Value = string(value)
		return true
	}
	if len(value) == 0 {
		return false
	}
	f.setText(e, who, string(value))
	return true
}

func setOrigin(e *opsec.Event, value []byte) bool {
	parts, ok := readList(value, 5)
	if !ok || len(parts) != 5 || e.OnBehalfOf == nil && parts[3]+parts[4] != "" {
		return false
	}
	e.Tenant = opsec.TenantID(parts[0])
	e.Actor.Tenant, e.Actor.Kind = opsec.TenantID(parts[1]), opsec.ActorKind(parts[2])
	if e.OnBehalfOf != nil {
		e.OnBehalfOf.Tenant, e.OnBehalfOf.Kind = opsec.TenantID(parts[3]), opsec.ActorKind(parts[4])
	}
	return true
}

// mask says in the field's place why its value is not there: its mark, "erased" or "omitted", in brackets. Addresses
// and times stay empty.
func (f *slot) mask(e *opsec.Event, kind Group, why string) {
	who := &e.Actor
	if kind == GroupOnBehalf {
		who = e.OnBehalfOf
	}
	text := "[" + cmp.Or(why, string(f.sensitivity(kind)), string(opsec.Personal)) + "]"
	switch f.code {
	case codeOrigin:
		e.Tenant = opsec.TenantID(text)
	case codeResource:
		e.Resource.ID = text
	case codeGranted:
		e.Granted = []string{text}
	case codeCancelled:
		e.Cancelled = []string{text}
	case codeBegan, codeIP:
	case codeAttr:
		e.Attrs[f.pos].Value = text
	default:
		f.setText(e, who, text)
	}
}

func (f *slot) setText(e *opsec.Event, who *opsec.Actor, text string) {
	switch f.code {
	case codeSystem:
		e.System = text
	case codeIntent:
		e.Intent = opsec.ID(text)
	case codeReason:
		e.Reason = text
	case codeAccount:
		who.Account = text
	case codePerson:
		who.Person = text
	case codeSession:
		who.Session = text
	case codeTerminal:
		who.Terminal = text
	}
}

// appendList appends texts, each with its length before it.
func appendList[T ~string](b []byte, texts ...T) []byte {
	for _, s := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// readList reads at most most texts, to the end.
func readList(b []byte, most int) ([]string, bool) {
	r := reader{rest: b}
	var list []string
	for len(r.rest) > 0 && len(list) < most {
		list = append(list, string(r.bytes(r.uvarint(len(b)))))
	}
	return list, r.done()
}

// markNumber is what stands for a mark in a skeleton.
func markNumber(m opsec.Sensitivity) byte {
	switch m {
	case opsec.Public:
		return 1
	case opsec.Tenant:
		return 2
	case opsec.Personal:
		return 3
	case opsec.Digest:
		return 4
	case opsec.Secret:
		return 5
	}
	return 0
}

func markOf(n byte) (opsec.Sensitivity, bool) {
	switch n {
	case 0:
		return "", true
	case 1:
		return opsec.Public, true
	case 2:
		return opsec.Tenant, true
	case 3:
		return opsec.Personal, true
	case 4:
		return opsec.Digest, true
	case 5:
		return opsec.Secret, true
	}
	return "", false
}
