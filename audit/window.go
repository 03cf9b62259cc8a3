package audit

import "github.com/cloudopsec/opsec"

// window remembers values by event id: the latest size of them at least, and never more than twice as many. It is two
// generations of a map; the older is dropped when the younger is full.
type window[V any] struct {
	size       int
	young, old map[opsec.ID]V
}

func (w *window[V]) get(id opsec.ID) (V, bool) {
	if v, ok := w.young[id]; ok {
		return v, true
	}
	v, ok := w.old[id]
	if ok {
		w.put(id, v) // it is one of the latest again
	}
	return v, ok
}

func (w *window[V]) put(id opsec.ID, v V) {
	if w.young == nil || len(w.young) >= w.size {
		w.young, w.old = make(map[opsec.ID]V), w.young
	}
	w.young[id] = v
}
