package history_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest/history"
)

var model = porcupine.Model{
	Init: func() any { return map[string]string(nil) },
	Step: func(state, op, _ any) (bool, any) {
		return history.Step(state.(map[string]string), op.(history.Operation))
	},
	Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
	Hash:  func(state any) uint64 { return history.Hash(state.(map[string]string)) },
}

func linearizable(list []history.Operation) porcupine.CheckResult {
	var ops []porcupine.Operation
	for _, op := range list {
		ops = append(ops, porcupine.Operation{ClientId: op.Caller, Input: op, Call: int64(op.Call), Return: int64(op.Return)})
	}
	return porcupine.CheckOperationsTimeout(model, ops, time.Minute)
}

type m = map[string]string

func write(expect, value string) history.Operation {
	return history.Operation{Outcome: history.Done, Expect: m{"k": expect}, Write: m{"k": value}}
}

func TestStepDoesWhatAStoreDoes(t *testing.T) {
	refused := func(expect m, failed ...string) history.Operation {
		return history.Operation{Outcome: history.Refused, Expect: expect, Write: m{"k": "9"}, Failed: failed}
	}
	see := func(saw m, keys ...string) history.Operation {
		return history.Operation{Outcome: history.Seen, Keys: keys, Saw: saw}
	}
	unknown := func(op history.Operation) history.Operation {
		op.Outcome = history.Unknown
		return op
	}
	tests := []struct {
		name  string
		state m
		op    history.Operation
		ok    bool
		next  m
	}{
		{"a read", m{"k": "1"}, see(m{"k": "1"}, "k", "l"), true, m{"k": "1"}},
		{"a read of nothing", nil, see(nil, "k"), true, nil},
		{"a read of what is gone", m{"l": "1"}, see(m{"k": "1"}, "k"), false, m{"l": "1"}},
		{"a read that misses a key", m{"k": "1", "l": "1"}, see(m{"k": "1"}, "k", "l"), false, m{"k": "1", "l": "1"}},
		{"a first write", nil, write("", "1"), true, m{"k": "1"}},
		{"a write over another", m{"k": "1"}, write("1", "2"), true, m{"k": "2"}},
		{"a delete", m{"k": "1", "l": "1"}, write("1", ""), true, m{"l": "1"}},
		{"a write over what is not there", m{"k": "1"}, write("2", "3"), false, m{"k": "1"}},
		{"an insert over what is there", m{"k": "1"}, write("", "2"), false, m{"k": "1"}},
		{"a check alone", m{"k": "1"}, history.Operation{Outcome: history.Done, Expect: m{"k": "1"}}, true, m{"k": "1"}},
		{"a check alone that fails", m{"k": "1"}, history.Operation{Outcome: history.Done, Expect: m{"l": "1"}}, false, m{"k": "1"}},
		{"a refusal", m{"k": "1"}, refused(m{"k": "2"}, "k"), true, m{"k": "1"}},
		{"a refusal that names one of two", m{"k": "1"}, refused(m{"k": "2", "l": "2"}, "l"), true, m{"k": "1"}},
		{"a refusal without a cause", m{"k": "1"}, refused(m{"k": "1"}, "k"), false, m{"k": "1"}},
		{"a refusal that names also what held", m{"k": "1"}, refused(m{"k": "1", "l": "2"}, "k", "l"), false, m{"k": "1"}},
		{"a refusal that names what was not checked", m{"k": "1"}, refused(m{"l": "2"}, "l", "k"), false, m{"k": "1"}},
		{"a refusal that names nothing", m{"k": "1"}, refused(m{"k": "2"}), false, m{"k": "1"}},
		{"an unknown commit that can happen", m{"k": "1"}, unknown(write("1", "2")), true, m{"k": "2"}},
		{"an unknown commit that cannot", m{"k": "1"}, unknown(write("2", "3")), true, m{"k": "1"}},
		{"no outcome", nil, history.Operation{Outcome: history.Unknown + 1}, false, nil},
	}
	for _, test := range tests {
		before := maps.Clone(test.state)
		ok, next := history.Step(test.state, test.op)
		if ok != test.ok || !maps.Equal(next, test.next) {
			t.Errorf("%s: %v, %v, want %v, %v", test.name, ok, next, test.ok, test.next)
		}
		if !maps.Equal(test.state, before) {
			t.Errorf("%s changes the state", test.name)
		}
		if history.Hash(next) != history.Hash(maps.Clone(test.next)) {
			t.Errorf("%s: equal states have two hashes", test.name)
		}
	}
}

func TestHashesOfStatesDiffer(t *testing.T) {
	seen := map[uint64]m{}
	for _, state := range []m{nil, {"k": "1"}, {"k": "2"}, {"l": "1"}, {"k1": ""}, {"k": "1", "l": "2"}, {"k": "2", "l": "1"}} {
		h := history.Hash(state)
		if other, ok := seen[h]; ok {
			t.Errorf("%v and %v have one hash", state, other)
		}
		seen[h] = state
	}
}

func TestHistoriesThatAreNotLinearizableAreRejected(t *testing.T) {
	at := func(call, end int, op history.Operation) history.Operation {
		op.Call, op.Return = time.Duration(call), time.Duration(end)
		return op
	}
	see := func(saw m) history.Operation {
		return history.Operation{Outcome: history.Seen, Keys: []string{"k", "l"}, Saw: saw}
	}
	with := func(op history.Operation, o history.Outcome) history.Operation {
		op.Outcome = o
		return op
	}
	const end = 1 << 40
	tests := []struct {
		name string
		list []history.Operation
		want porcupine.CheckResult
	}{
		{"one after the other", []history.Operation{
			at(0, 1, write("", "1")), at(2, 3, see(m{"k": "1"})), at(4, 5, write("1", "")), at(6, 7, see(m{})),
		}, porcupine.Ok},
		{"a stale read", []history.Operation{
			at(0, 1, write("", "1")), at(2, 3, write("1", "2")), at(4, 5, see(m{"k": "1"})),
		}, porcupine.Illegal},
		{"a read while it is written", []history.Operation{
			at(0, 1, write("", "1")), at(2, 5, write("1", "2")), at(3, 4, see(m{"k": "1"})),
		}, porcupine.Ok},
		{"a lost update", []history.Operation{
			at(0, 1, write("", "1")), at(2, 6, write("1", "2")), at(3, 5, write("1", "3")), at(7, 8, see(m{"k": "3"})),
		}, porcupine.Illegal},
		{"two swaps of one value", []history.Operation{
			at(0, 9, write("", "1")), at(0, 9, write("", "2")),
		}, porcupine.Illegal},
		{"one half of a commit", []history.Operation{
			at(0, 1, history.Operation{Outcome: history.Done, Write: m{"k": "1", "l": "1"}}), at(0, 9, see(m{"k": "1"})),
		}, porcupine.Illegal},
		{"a refusal without a cause", []history.Operation{
			at(0, 1, write("", "1")), at(2, 3, with(write("1", "2"), history.Refused)),
		}, porcupine.Illegal},
		{"a refusal that names what holds", []history.Operation{
			at(0, 1, write("", "1")),
			at(2, 3, history.Operation{Outcome: history.Refused, Expect: m{"k": "0", "l": ""}, Failed: []string{"l"}}),
		}, porcupine.Illegal},
		{"an unknown commit that came late", []history.Operation{
			at(0, end, with(write("", "1"), history.Unknown)), at(2, 3, see(m{})), at(4, 5, see(m{"k": "1"})),
		}, porcupine.Ok},
		{"an unknown commit that never came", []history.Operation{
			at(0, end, with(write("", "1"), history.Unknown)), at(2, 3, see(m{})), at(4, 5, write("", "2")), at(6, 7, see(m{"k": "2"})),
		}, porcupine.Ok},
		{"an unknown commit that came and went", []history.Operation{
			at(0, end, with(write("", "1"), history.Unknown)), at(2, 3, see(m{"k": "1"})), at(4, 5, see(m{})),
		}, porcupine.Illegal},
	}
	for _, test := range tests {
		if got := linearizable(test.list); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func ExampleStep() {
	model := porcupine.Model{
		Init: func() any { return map[string]string{} },
		Step: func(state, op, _ any) (bool, any) {
			return history.Step(state.(map[string]string), op.(history.Operation))
		},
		Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
		Hash:  func(state any) uint64 { return history.Hash(state.(map[string]string)) },
	}
	list, err := history.Record(context.Background(), []store.Driver{memory.New()}, nil)
	if err != nil {
		fmt.Println(err)
	}
	var ops []porcupine.Operation
	for _, op := range list {
		ops = append(ops, porcupine.Operation{
			ClientId: op.Caller, Input: op, Call: int64(op.Call), Return: int64(op.Return),
		})
	}
	fmt.Println(porcupine.CheckOperationsTimeout(model, ops, time.Minute))
	// Output: Ok
}
