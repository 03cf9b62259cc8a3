package statement_test

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/statement"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// keys are keysets and their keys in memory.
type keys map[keymgmt.SetID][]keymgmt.Key // newest first; the first that is active is the primary

func (k keys) Keyset(_ context.Context, id keymgmt.SetID) (keymgmt.Keyset, error) {
	list, there := k[id]
	if !there {
		return keymgmt.Keyset{}, fmt.Errorf("keyset: %w", opsec.ErrNotFound)
	}
	set := keymgmt.Keyset{SetID: id, Keys: len(list)}
	for _, key := range list {
		if key.State == keymgmt.Active && set.Primary == 0 {
			set.Primary = key.Ref.Key
		}
	}
	return set, nil
}

func (k keys) Keys(_ context.Context, id keymgmt.SetID) iter.Seq2[keymgmt.Key, error] {
	return func(yield func(keymgmt.Key, error) bool) {
		for _, key := range k[id] {
			if !yield(key, nil) {
				return
			}
		}
	}
}

var (
	volumes = keymgmt.SetID{Tenant: "acme", ID: "volumes"}
	disks   = keymgmt.SetID{Tenant: opsec.Provider, ID: "disks"}
)

// key is one that was activated some days ago, protects for 30 days and processes for 90.
func key(set keymgmt.SetID, id uint32, state keymgmt.State, a keymgmt.Algorithm, days int) keymgmt.Key {
	since := noon.AddDate(0, 0, -days)
	return keymgmt.Key{
		Ref: keymgmt.Ref{Set: set, Key: id}, State: state, Algorithm: a, Created: since, Activated: since,
		ProtectUntil: since.AddDate(0, 0, 30), ProcessUntil: since.AddDate(0, 0, 90),
	}
}

func counted(k keymgmt.Key, objects uint64) keymgmt.Key {
	k.Census = &keymgmt.Census{Time: noon, Objects: objects, Of: 100}
	return k
}

func usual() keys {
	return keys{
		volumes: {
			key(volumes, 3, keymgmt.Active, "AES256_GCM", 10),
			counted(key(volumes, 2, keymgmt.Deactivated, "AES128_GCM", 40), 7),
			key(volumes, 1, keymgmt.Destroyed, "AES128_GCM", 70),
		},
		disks: {key(disks, 1, keymgmt.Active, "AES256_GCM", 5)},
	}
}

func tls13() *statement.Channel {
	return &statement.Channel{
		Protocol: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", KeyExchange: "X25519MLKEM768", Mutual: true, Seen: noon.Add(-time.Hour),
	}
}

func uses() []statement.Use {
	return []statement.Use{
		{Data: "volumes", Where: statement.Storage, At: "eu-1", Keyset: volumes},
		{Data: "volumes", Where: statement.Backup, At: "vault-2", Keyset: disks},
		{Data: "credentials", Where: statement.Transit, At: "api", Channel: tls13()},
	}
}

func claims() []statement.Claim {
	return []statement.Claim{
		{Data: "volumes", Where: statement.Storage, Strength: 128, OwnKeys: true},
		{Data: "volumes", Where: statement.Backup, Strength: 256, Algorithms: []string{"AES256_GCM"}},
		{Data: "credentials", Where: statement.Transit, Strength: 128, Protocols: []string{"TLS 1.3"}, Mutual: true, SeenWithin: 24 * time.Hour},
	}
}

// marked marks a key as compromised, in whatever state.
func marked(k keymgmt.Key) keymgmt.Key {
	k.Compromised = noon.AddDate(0, 0, -1)
	return k
}
