package tally

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

// The rows as they wait in a file of this process: fields in order, nothing named. No other process reads them.

type writer []byte

func (w *writer) uint(n uint64) { *w = binary.AppendUvarint(*w, n) }

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	*w = append(*w, s...)
}

func (w *writer) time(t time.Time) {
	*w = binary.AppendVarint(*w, t.Unix())
	w.uint(uint64(t.Nanosecond()))
}

func (w *writer) key(k *accounts.Key) {
	w.text(string(k.Tenant))
	w.text(k.Main)
	w.text(k.Sub)
}

type reader []byte

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(*r)
	*r = (*r)[size:]
	return n
}

func (r *reader) text() string {
	n := r.uint()
	s := string((*r)[:n])
	*r = (*r)[n:]
	return s
}

func (r *reader) time() time.Time {
	sec, size := binary.Varint(*r)
	*r = (*r)[size:]
	return time.Unix(sec, int64(r.uint())).UTC()
}

func (r *reader) key() accounts.Key {
	return accounts.Key{Tenant: opsec.TenantID(r.text()), Main: r.text(), Sub: r.text()}
}

func write[T Row](w *writer, row *T) {
	switch v := any(row).(type) {
	case *accounts.Account:
		w.key(&v.Key)
		for _, s := range [...]string{string(v.Kind), v.Person, string(v.State), v.Ref} {
			w.text(s)
		}
		for _, t := range [...]time.Time{v.Since, v.Created, v.Approved, v.Reviewed, v.Expires, v.LastUsed} {
			w.time(t)
		}
		w.uint(uint64(len(v.Roles)))
		for _, role := range v.Roles {
			w.text(role)
		}
	case *accounts.Entitlement:
		w.key(&v.Key)
		w.text(v.Permission)
		w.text(v.Ref)
		w.time(v.Granted)
		w.time(v.Approved)
		w.time(v.Expires)
	case *accounts.Use:
		w.key(&v.Key)
		w.text(v.Permission)
		w.text(v.Ref)
		w.uint(v.Count)
		w.uint(v.Denied)
		w.time(v.Last)
	case *accounts.SignIn:
		w.key(&v.Key)
		w.time(v.Time)
		w.time(v.Began)
		w.text(string(v.Outcome))
		logout := uint64(0)
		if v.Logout {
			logout = 1
		}
		w.uint(logout)
		ip, _ := v.IP.MarshalBinary() // it has no errors
		w.text(string(ip))
		w.text(v.Session)
		w.text(v.Terminal)
		w.text(v.Ref)
	case *accounts.Person:
		w.text(string(v.Tenant))
		w.text(v.ID)
		w.time(v.Left)
		w.text(v.Ref)
	case *accounts.Holding:
		w.key(&v.Key)
		w.text(v.Person)
		w.text(string(v.Kind))
		w.text(string(v.State))
		w.text(v.Ref)
	}
}

func parse[T Row](b []byte) (row T) {
	r := reader(b)
	switch v := any(&row).(type) {
	case *accounts.Account:
		v.Key = r.key()
		v.Kind, v.Person, v.State, v.Ref = opsec.ActorKind(r.text()), r.text(), accounts.State(r.text()), r.text()
		v.Since, v.Created, v.Approved = r.time(), r.time(), r.time()
		v.Reviewed, v.Expires, v.LastUsed = r.time(), r.time(), r.time()
		for range r.uint() {
			v.Roles = append(v.Roles, r.text())
		}
	case *accounts.Entitlement:
		v.Key, v.Permission, v.Ref = r.key(), r.text(), r.text()
		v.Granted, v.Approved, v.Expires = r.time(), r.time(), r.time()
	case *accounts.Use:
		v.Key, v.Permission, v.Ref = r.key(), r.text(), r.text()
		v.Count, v.Denied, v.Last = r.uint(), r.uint(), r.time()
	case *accounts.SignIn:
		v.Key, v.Time, v.Began = r.key(), r.time(), r.time()
		v.Outcome, v.Logout = opsec.Outcome(r.text()), r.uint() == 1
		var ip netip.Addr
		if err := ip.UnmarshalBinary([]byte(r.text())); err == nil {
			v.IP = ip
		}
		v.Session, v.Terminal, v.Ref = r.text(), r.text(), r.text()
	case *accounts.Person:
		v.Tenant, v.ID = opsec.TenantID(r.text()), r.text()
		v.Left, v.Ref = r.time(), r.text()
	case *accounts.Holding:
		v.Key, v.Person = r.key(), r.text()
		v.Kind, v.State, v.Ref = opsec.ActorKind(r.text()), accounts.State(r.text()), r.text()
	}
	return row
}
