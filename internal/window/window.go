// Package window remembers what came lately, within bounds.
package window

// Window remembers values by key: the latest Size of them at least, and never more than twice as many. It is two
// generations of a map; the older is dropped when the younger is full. It is not safe for concurrent use.
type Window[K comparable, V any] struct {
	Size       int
	young, old map[K]V
}

// Get returns the value of key, which is one of the latest from now on.
func (w *Window[K, V]) Get(key K) (V, bool) {
	if v, ok := w.young[key]; ok {
		return v, true
	}
	v, ok := w.old[key]
	if ok {
		w.Put(key, v)
	}
	return v, ok
}

// Put remembers a value.
func (w *Window[K, V]) Put(key K, v V) {
	if w.young == nil || len(w.young) >= w.Size {
		w.young, w.old = make(map[K]V, len(w.young)), w.young // the next one grows as far
	}
	w.young[key] = v
}

// Forget drops what is remembered of key.
func (w *Window[K, V]) Forget(key K) {
	delete(w.young, key)
	delete(w.old, key)
}
