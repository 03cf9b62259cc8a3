package retention

import "github.com/cloudopsec/opsec"

func (w *work) find(i int32, rule, text string) {
	q := &w.points[i]
	w.add(Finding{Rule: rule, Group: q.Group, ID: q.ID, Text: "point " + shown(q.ID) + ": " + text})
}

func (w *work) add(f Finding) {
	f.Severity = opsec.SeverityMedium
	if f.Rule == FindingParent || f.Rule == FindingLoop || f.Rule == FindingClock {
		f.Severity = opsec.SeverityHigh
	}
	w.findings = append(w.findings, f)
}

// link finds which points have all that they need in the list: they are whole.
func (w *work) link(order []int32) {
	if !w.chained {
		for i := range w.seen {
			w.seen[i].whole = true
		}
		return
	}
	// A walk upward from each point, without recursion: 0 not seen, 1 on the way, 2 done.
	state := make([]uint8, len(w.points))
	type step struct {
		at   int32
		next int
	}
	var way []step
	for _, start := range order {
		if state[start] != 0 {
			continue
		}
		state[start], w.seen[start].whole = 1, true
		way = append(way[:0], step{at: start})
		for len(way) > 0 {
			top := &way[len(way)-1]
			parents := w.points[top.at].Parents
			if top.next == len(parents) {
				whole := w.seen[top.at].whole
				state[top.at] = 2
				if way = way[:len(way)-1]; len(way) > 0 && !whole {
					w.seen[way[len(way)-1].at].whole = false
				}
				continue
			}
			id := parents[top.next]
			top.next++
			parent, here := w.ids.find(id)
			switch {
			case !here:
				w.seen[top.at].whole = false
				w.find(top.at, FindingParent, "it needs "+shown(id)+", which is not in the list")
			case state[parent] == 1:
				w.seen[top.at].whole = false
				w.find(top.at, FindingLoop, "it needs "+shown(id)+", which needs it")
			case state[parent] == 2:
				if !w.seen[parent].whole {
					w.seen[top.at].whole = false
				}
			default:
				state[parent], w.seen[parent].whole = 1, true
				way = append(way, step{at: parent})
			}
		}
	}
}

// chains keeps all that a kept point needs, whatever group it is of.
func (w *work) chains(order []int32) {
	if !w.chained {
		return
	}
	var todo []int32
	for _, i := range order {
		if w.seen[i].kept > 0 {
			todo = append(todo, i)
		}
	}
	for len(todo) > 0 {
		child := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, id := range w.points[child].Parents {
			if parent, here := w.ids.find(id); here && w.seen[parent].kept == 0 {
				w.keep(parent, Reason{Rule: GuardChain, Detail: w.points[child].ID})
				todo = append(todo, parent)
			}
		}
	}
}
