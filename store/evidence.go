package store

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/internal/stamp"
)

// AttrWrote is the key of the attribute by which an event names the records that were written in its transaction: for
// each a digest of its key, when it was inserted, and how often it has been written since (or that it was deleted). It
// says nothing of their content. [DB.Check] compares it with what the store holds, so that an old value put back under
// its own key is found.
const AttrWrote = "store.wrote"

// Emit adds an event to the transaction: it is committed with the writes or not at all, and delivered to a recorder at
// least once (package outbox). For a change of state alone this is the record of it; an effect outside the store is
// bracketed by [opsec.Begin] instead. The event is copied. It belongs to a tenant of the transaction, or to
// [opsec.Provider].
func (tx *Tx) Emit(e *opsec.Event) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	if err := e.Validate(); err != nil {
		return err
	}
	if len(e.Attrs) == opsec.MaxAttrs {
		return invalid("event: %d attributes; a transaction adds one, so at most %d", len(e.Attrs), opsec.MaxAttrs-1)
	}
	if slices.ContainsFunc(tx.events, func(have *opsec.Event) bool { return have.ID == e.ID }) {
		return invalid("event %s: a second one with its id", e.Action)
	}
	if slices.ContainsFunc(e.Attrs, func(a opsec.Attr) bool { return a.Key == AttrWrote }) {
		return invalid("event %s: attribute %s is the store's own", e.Action, AttrWrote)
	}
	own := *e
	own.Attrs, own.Granted, own.Cancelled = slices.Clone(e.Attrs), slices.Clone(e.Granted), slices.Clone(e.Cancelled)
	if e.OnBehalfOf != nil {
		actor := *e.OnBehalfOf
		own.OnBehalfOf = &actor
	}
	tx.events = append(tx.events, &own)
	return nil
}

// witness notes that a record was written or deleted.
func (tx *Tx) witness(key string, w stamp.Witness) {
	if tx.wrote == nil {
		tx.wrote = map[string]stamp.Witness{}
	}
	tx.wrote[key] = w
}

// file puts the events into the outbox, the first of each tenant with a list of what was written of that tenant.
func (tx *Tx) file() error {
	wrote := map[opsec.TenantID][]string{}
	for _, key := range slices.Sorted(maps.Keys(tx.wrote)) {
		texts, _ := layout.Split(key, 2)
		tenant := opsec.TenantID(texts[1])
		wrote[tenant] = append(wrote[tenant], key)
	}
	for _, e := range tx.events {
		if tx.tenant == "" && tx.across == nil && e.Tenant != opsec.Provider {
			tx.tenant = e.Tenant // a transaction of events alone
		}
		if e.Tenant != opsec.Provider && e.Tenant != tx.tenant && !tx.across[e.Tenant] {
			return invalid("event %s: of a tenant that the transaction is not of", e.Action)
		}
		if keys := wrote[e.Tenant]; len(keys) > 0 {
			list, err := tx.wroteList(keys)
			if err != nil {
				return err
			}
			e.Attrs = append(e.Attrs, opsec.Attr{Key: AttrWrote, Value: list, Mark: opsec.Public})
			delete(wrote, e.Tenant)
		}
		if err := e.Validate(); err != nil {
			return err
		}
		tx.put(layout.OutboxKey(tx.db.node, e.ID), e.AppendJSON(nil))
	}
	delete(wrote, opsec.Provider)
	if tx.across != nil && len(wrote) > 0 {
		return invalid("transaction: writes to %d tenants without an event of theirs", len(wrote))
	}
	return nil
}

func (tx *Tx) wroteList(keys []string) (string, error) {
	list := make([]string, len(keys))
	for i, key := range keys {
		w := tx.wrote[key]
		var err error
		if w.Digest, err = tx.db.evidence(key); err != nil {
			return "", err
		}
		list[i] = w.String()
	}
	return strings.Join(list, " "), nil
}

// evidence returns the name of a record in events.
func (db *DB) evidence(key string) (string, error) {
	sum, err := db.vault.Blind("evidence", key)
	return base64.RawURLEncoding.EncodeToString(sum), err
}
