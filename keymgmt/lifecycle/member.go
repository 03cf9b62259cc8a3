package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// The bounds of membership.
const (
	MaxNodes = 512
	MaxFence = 366 * 24 * time.Hour
	maxNode  = 64 // bytes of a name
)

// beat is how often a node has beaten; the id is of its joining, so that another of the same name is another.
type beat struct {
	ID    opsec.ID `json:"id"`
	Beats uint64   `json:"beats"`
}

// member is the document of a node.
type member struct {
	beat
	Fence time.Duration `json:"fence"`
}

// sight is a beat, and since when this process has seen no later one, by its monotonic clock.
type sight struct {
	beat
	since time.Time
}

const nodesName = "nodes"

type nodes struct {
	Nodes   []string      `json:"nodes"`
	Longest time.Duration `json:"longest"` // fence of any node that there has ever been
}

func nodeName(node string) string { return "node/" + node }

// Join implements [keymgmt.Membership]. A name belongs to one process at a time: one that is taken is [keymgmt.ErrExists].
func (m *Manager) Join(ctx context.Context, node string, fence time.Duration) error {
	if node == "" || !text(node, maxNode) || fence <= 0 || fence > MaxFence {
		return invalid("node, fence: want text of 1 to %d bytes, and more than 0 to %v", maxNode, MaxFence)
	}
	joined := member{beat{ID: opsec.NewID()}, fence}
	return m.membership(ctx, node, keymgmt.ActionJoin, func(list []string, old *member) ([]string, *member, error) {
		if old != nil || slices.Contains(list, node) {
			return nil, nil, fmt.Errorf("lifecycle: node %s: %w", node, keymgmt.ErrExists)
		}
		if len(list) == MaxNodes {
			return nil, nil, invalid("nodes: %d already", MaxNodes)
		}
		return append(list, node), &joined, nil
	})
}

// Leave implements [keymgmt.Membership]. Of a node that is not known it does nothing.
func (m *Manager) Leave(ctx context.Context, node string) error {
	_, err := m.remove(ctx, node, keymgmt.ActionLeave, func(*member) bool { return true })
	return err
}

// remove reports whether the node was there to be removed.
func (m *Manager) remove(ctx context.Context, node, action string, which func(*member) bool) (bool, error) {
	err := m.membership(ctx, node, action, func(list []string, old *member) ([]string, *member, error) {
		if old == nil || !which(old) {
			return nil, nil, errLooked
		}
		return slices.DeleteFunc(list, func(n string) bool { return n == node }), nil, nil
	})
	if errors.Is(err, errLooked) {
		return false, nil
	}
	return err == nil, err
}

// membership changes who the nodes are.
func (m *Manager) membership(ctx context.Context, node, action string, fn func([]string, *member) ([]string, *member, error)) error {
	return m.repo.Update(ctx, opsec.Provider, func(read keymgmt.Read) (out keymgmt.Changes, err error) {
		docs, err := read(nodesName, nodeName(node))
		if err != nil {
			return out, err
		}
		var all nodes
		old := new(member)
		if _, err := parse(docs[0], &all, nodesName); err != nil {
			return out, err
		}
		if there, err := parse(docs[1], old, nodeName(node)); err != nil || !there {
			if old = nil; err != nil {
				return out, err
			}
		}
		list, is, err := fn(all.Nodes, old)
		if err != nil {
			return out, err
		}
		if is != nil {
			all.Longest = max(all.Longest, is.Fence)
			err = add(&out, nodeName(node), is)
		} else {
			out.Put = append(out.Put, keymgmt.Document{Name: nodeName(node)})
		}
		e := opsec.NewEvent(action, instant(m.o.Now()))
		e.Class, e.Outcome, e.Actor = opsec.Critical, opsec.Success, opsec.Actor{Tenant: opsec.Provider, Account: node, Kind: opsec.System}
		e.Resource = opsec.Resource{Tenant: opsec.Provider, Type: "node", ID: node}
		out.Events = append(out.Events, e)
		if err == nil {
			err = add(&out, nodesName, nodes{list, all.Longest})
		}
		return out, err
	})
}

// Beat implements [keymgmt.Membership]. A node that is not known any more, since it has been silent for longer than its fence, gets an
// error that wraps [opsec.ErrNotFound]: it forgets all keys, and joins again.
func (m *Manager) Beat(ctx context.Context, node string) error {
	return m.repo.Update(ctx, opsec.Provider, func(read keymgmt.Read) (out keymgmt.Changes, err error) {
		docs, err := read(nodeName(node))
		if err != nil {
			return out, err
		}
		var n member
		there, err := parse(docs[0], &n, nodeName(node))
		if err == nil && !there {
			err = fmt.Errorf("lifecycle: node %q: %w", node, opsec.ErrNotFound)
		}
		if err != nil {
			return out, err
		}
		n.Beats++
		return out, add(&out, nodeName(node), n)
	})
}

// members returns the nodes that there are, and the longest fence there has ever been. Each is as it was at some time since the
// call: what is asked of beats only grows.
func (m *Manager) members(ctx context.Context) (list map[string]member, longest time.Duration, err error) {
	docs, err := m.documents(ctx, opsec.Provider, nodesName)
	if err != nil {
		return nil, 0, err
	}
	var all nodes
	if _, err := parse(docs[0], &all, nodesName); err != nil {
		return nil, 0, err
	}
	list = map[string]member{}
	for some := range slices.Chunk(all.Nodes, keymgmt.MaxDocuments) {
		names := make([]string, len(some))
		for i, node := range some {
			names[i] = nodeName(node)
		}
		if docs, err = m.documents(ctx, opsec.Provider, names...); err != nil {
			return nil, 0, err
		}
		for i, node := range some {
			var n member
			there, err := parse(docs[i], &n, names[i])
			if err == nil && there && (n.ID == "" || n.Fence <= 0) {
				err = invalid("document %s: has no id or no fence", names[i])
			}
			if err != nil {
				return nil, 0, err
			}
			if there {
				list[node] = n
			}
		}
	}
	m.watch(list)
	return list, all.Longest, nil
}

// watch notes since when this process has seen no other beat of a node. It is a promise to go by a monotonic clock, so it does
// not go by Options.Now.
func (m *Manager) watch(list map[string]member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.sights, func(node string, _ sight) bool { return list[node].ID == "" })
	for node, n := range list {
		if m.sights[node].beat != n.beat {
			m.sights[node] = sight{n.beat, time.Now()}
		}
	}
}

// silent reports whether a node has been seen without a beat for longer than its fence.
func (m *Manager) silent(node string, n member) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sights[node]
	return s.beat == n.beat && time.Since(s.since) > n.Fence
}

// fence removes a node that is silent, and reports whether it still was.
func (m *Manager) fence(ctx context.Context, node string, n member) (bool, error) {
	return m.remove(ctx, node, keymgmt.ActionFence, func(now *member) bool { return now.beat == n.beat })
}

// noteBeats writes down, once, the nodes that there are after a destruction was scheduled.
func (m *Manager) noteBeats(ctx context.Context, ref keymgmt.Ref) (map[string]beat, error) {
	before, err := m.record(ctx, ref)
	if err != nil {
		return nil, err
	}
	list, _, err := m.members(ctx)
	if err != nil {
		return nil, err
	}
	beats := map[string]beat{}
	for node, n := range list {
		beats[node] = n.beat
	}
	err = m.repo.Update(ctx, ref.Set.Tenant, func(read keymgmt.Read) (out keymgmt.Changes, err error) {
		docs, err := read(keyName(ref))
		if err != nil {
			return out, err
		}
		r, err := parseKey(ref, docs[0])
		if err != nil {
			return out, err
		}
		if r.Beats != nil {
			beats = r.Beats
			return out, nil
		}
		if r.Key.Steps != before.Key.Steps { // cancelled and scheduled again, maybe: the nodes are those of before
			return out, fmt.Errorf("lifecycle: key %s: %w", ref, ErrChanged)
		}
		if r.Key.State == keymgmt.DestroyScheduled || r.Key.State == keymgmt.DestroyFailed {
			r.Beats = beats
			return out, add(&out, keyName(ref), r)
		}
		return out, &keymgmt.StateError{Ref: ref, State: r.Key.State, Verb: keymgmt.Destroy}
	})
	return beats, err
}

// fences says which nodes may still hold a key whose destruction was scheduled when they had beaten so often, and what became of
// those that do not. The longest is how long a node that is here, or was, may use a keyset without looking at it.
func (m *Manager) fences(ctx context.Context, beats map[string]beat) (waiting []string, gone []keymgmt.Copy, longest time.Duration, err error) {
	list, longest, err := m.members(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, node := range slices.Sorted(maps.Keys(beats)) {
		c := keymgmt.Copy{Kind: keymgmt.InNode, Name: node, Fate: keymgmt.Fenced, How: "is no node any more", Time: instant(m.o.Now())}
		switch n := list[node]; {
		case n.ID != beats[node].ID:
		case n.Beats >= beats[node].Beats+2:
			c.Fate, c.How = keymgmt.Acknowledged, "has looked since"
		case !m.silent(node, n):
			waiting = append(waiting, node)
			continue
		default:
			removed, err := m.fence(ctx, node, n)
			if err != nil {
				return nil, nil, 0, err
			}
			if !removed { // it is there again, and may have looked before
				waiting = append(waiting, node)
				continue
			}
			c.How = "has been silent for longer than " + n.Fence.String()
		}
		gone = append(gone, c)
	}
	return waiting, gone, longest, nil
}
