package history

import "maps"

// Step is the model of a store that does one operation after the other: state is what is under each key that is there,
// and nil is an empty store. It reports whether a store in that state can do the operation with the outcome that it had,
// and returns what is there afterwards. It does not change state.
//
// A [Refused] commit must name a key, and no key whose check held. One that is [Unknown] is placed at any time after its
// call; where its checks do not hold, it has not happened.
func Step(state map[string]string, op Operation) (ok bool, next map[string]string) {
	switch op.Outcome {
	case Seen:
		for _, key := range op.Keys {
			if state[key] != op.Saw[key] {
				return false, state
			}
		}
		return true, state
	case Refused:
		for _, key := range op.Failed {
			if value, checked := op.Expect[key]; !checked || state[key] == value {
				return false, state
			}
		}
		return len(op.Failed) > 0, state
	case Done, Unknown:
		for key, value := range op.Expect {
			if state[key] != value {
				return op.Outcome == Unknown, state
			}
		}
		next = map[string]string{}
		maps.Copy(next, state)
		for key, value := range op.Write {
			if next[key] = value; value == "" {
				delete(next, key)
			}
		}
		return true, next
	}
	return false, state
}

// Hash is of a state of [Step], for a checker that remembers those it has been in. States that are equal, by
// [maps.Equal], have the same hash, in every process.
func Hash(state map[string]string) (sum uint64) {
	for key, value := range state { // of no order
		h := uint64(14695981039346656037) // FNV-1a
		for _, c := range []byte(key + "\x00" + value) {
			h = (h ^ uint64(c)) * 1099511628211
		}
		sum += h
	}
	return sum
}
