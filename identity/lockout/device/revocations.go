package device

import (
	"context"
	"encoding/hex"
	"maps"
	"sync"
	"time"
)

// Mark is how an account and a device stand with the register.
type Mark struct {
	Epoch   uint32 // how often all devices of the account were revoked
	Revoked bool   // whether this device was
}

// Revocations is the register of what is revoked. In a database it is two tables: accounts with their epoch (tenant, account,
// epoch), of which a row that is not there has epoch 0, and devices (tenant, account, device, until). Look is two reads by primary
// key, Revoke one insert, RevokeAll one upsert that adds 1; rows of devices are deleted after their until, rows of accounts never.
// Answers must not be stale: a Look that begins after a revocation has returned sees it, on every node.
type Revocations interface {
	Look(ctx context.Context, who Owner, device string) (Mark, error)
	// Revoke notes a device. After until there is no token of it left, and it can be forgotten.
	Revoke(ctx context.Context, who Owner, device string, until time.Time) error
	// RevokeAll raises the account's epoch by one.
	RevokeAll(ctx context.Context, who Owner) error
}

// maxDevices is how many revoked devices [Memory] keeps of one account.
const maxDevices = 64

// Memory is a [Revocations] in memory, for one process and for tests: it forgets when the process ends.
type Memory struct {
	mu   sync.RWMutex
	most int
	rows map[Owner]*row
}

// row is what is known of one account.
type row struct {
	epoch   uint32
	devices map[string]time.Time // until when each is kept
}

// NewMemory returns a register with room for so many accounts, 1 at least. With more, a revocation is [ErrFull].
func NewMemory(accounts int) *Memory { return &Memory{most: max(accounts, 1), rows: map[Owner]*row{}} }

// Look implements [Revocations].
func (m *Memory) Look(_ context.Context, who Owner, device string) (Mark, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r := m.rows[who]
	if r == nil {
		return Mark{}, nil
	}
	_, revoked := r.devices[device]
	return Mark{Epoch: r.epoch, Revoked: revoked}, nil
}

// Revoke implements [Revocations]. The 65th device of one account revokes all of them: a new epoch takes less room.
func (m *Memory) Revoke(_ context.Context, who Owner, device string, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.row(who)
	if err != nil {
		return err
	}
	if _, ok := r.devices[device]; !ok && len(r.devices) == maxDevices {
		r.epoch++
		clear(r.devices)
		return nil
	}
	if r.devices == nil {
		r.devices = map[string]time.Time{}
	}
	r.devices[device] = until
	return nil
}

// RevokeAll implements [Revocations].
func (m *Memory) RevokeAll(_ context.Context, who Owner) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.row(who)
	if err != nil {
		return err
	}
	r.epoch++
	clear(r.devices)
	return nil
}

func (m *Memory) row(who Owner) (*row, error) {
	r := m.rows[who]
	if r != nil {
		return r, nil
	}
	if len(m.rows) == m.most {
		return nil, ErrFull
	}
	r = new(row)
	m.rows[who] = r
	return r, nil
}

// Sweep forgets the devices whose time has come, and accounts of which nothing is left to know.
func (m *Memory) Sweep(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.rows, func(_ Owner, r *row) bool {
		maps.DeleteFunc(r.devices, func(_ string, until time.Time) bool { return now.After(until) })
		return r.epoch == 0 && len(r.devices) == 0
	})
}

func validID(device string) bool {
	b, err := hex.DecodeString(device)
	return err == nil && len(b) == idBytes && hex.EncodeToString(b) == device
}
