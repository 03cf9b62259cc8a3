package storetest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestReferenceKeepsTheContract(t *testing.T) { Run(t, harness("")) }

// verdict is a testing.TB that only notes what is said of it.
type verdict struct {
	testing.TB
	mu       sync.Mutex
	said     []string
	failed   bool
	skipped  bool
	cleanups []func()
}

func (v *verdict) Helper()             {}
func (v *verdict) Logf(string, ...any) {}
func (v *verdict) Cleanup(f func())    { v.cleanups = append(v.cleanups, f) }

func (v *verdict) Error(args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed = true
	v.said = append(v.said, fmt.Sprint(args...))
}

func (v *verdict) Errorf(format string, args ...any) { v.Error(fmt.Sprintf(format, args...)) }

func (v *verdict) Fatal(args ...any) {
	v.Error(args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) { v.Fatal(fmt.Sprintf(format, args...)) }

func (v *verdict) Skip(...any) {
	v.skipped = true
	runtime.Goexit()
}

// judge runs f and returns what it made of it. A panic is a failure, as it would be in a test.
func judge(t *testing.T, f func(testing.TB)) *verdict {
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range v.cleanups {
				f()
			}
		}()
		defer func() {
			if p := recover(); p != nil {
				v.Error(p)
			}
		}()
		f(v)
	}()
	<-done
	return v
}

// bugs says which checks find each bug of the reference. Every check is here: one that finds none proves nothing.
var bugs = []struct{ bug, found string }{
	{"gets in key order", "Get/KeepsTheOrderAsked"},
	{"answers a key once", "Get/AnswersAKeyTwice"},
	{"returns an error for an absent key", "Get/AbsentKeyIsNoError"},
	{"returns an empty value for an absent key", "Get/AbsentKeyIsNoError Get/ReturnsWhatWasWritten"},
	{"gets nothing of nothing with an error", "Get/OfNoKeys"},
	{"gets key by key", "Get/IsOnePointInTime Race/TransfersKeepTheTotal"},
	{"cuts a large Get", "Limit/LargestGet"},
	{"takes any key in a Get", "Limit/OfAGet Limit/OfAKey Commit/RefusesInvalidBatch"},
	{"calls too many keys invalid", "Limit/OfAGet"},
	{"is stale after a delete", "Read/SeesReturnedDeletes Get/ReturnsWhatWasWritten"},
	{"is stale on another handle", "Read/SeesReturnedCommits Read/SeesReturnedCommitsOfOthers"},

	{"trims zero bytes", "List/Bounds Limit/OfABound"},
	{"includes End", "List/Bounds List/AgreesWithAModel List/EmptyRangeIsNoError"},
	{"excludes Start", "List/Bounds List/AgreesWithAModel"},
	{"returns an error for an empty range", "List/EmptyRangeIsNoError"},
	{"takes any range", "List/InvalidLimit Limit/OfABound"},
	{"cuts bounds", "Limit/OfABound"},
	{"compares runes", "List/OrderIsBytewise Page/FollowsPage"},
	{"folds keys", "List/OrderIsBytewise Page/FollowsPage"},
	{"reads values for keys", "List/KeysOnly"},
	{"lists wrong Revs", "List/ReturnsValuesAndRevs List/KeysOnly Rev/IsOneForABatch"},
	{"cuts large values in List", "Limit/OfAValue"},
	{"lists key by key", "List/IsOnePointInTime"},
	{"ignores the limit", "Page/EndsAfterLimit Page/OfMaxPage List/AgreesWithAModel"},
	{"is one short of the limit", "Page/EndsAfterLimit Page/OfMaxPage"},
	{"ends a page before MaxPageBytes", "Page/EndsWithItemThatReachesMaxPageBytes"},
	{"ignores MaxPageBytes", "Page/EndsWithItemThatReachesMaxPageBytes"},
	{"deletes before it rewrites", "Page/ShowsWhatIsPresentThroughoutOnce Read/SeesReturnedCommitsOfOthers"},

	{"writes the first op alone", "Commit/DoesAllOfABatch Rev/IsOneForABatch"},
	{"deletes nothing absent", "Commit/DeletesAbsentKey"},
	{"ignores checks of absence", "Commit/ChecksThatAKeyIsAbsent Race/InsertHasOneWinner"},
	{"ignores Revs", "Commit/ChecksTheRevOfAKey Commit/DeletesWithACheck Race/SwapHasOneWinner"},
	{"takes a higher Rev", "Commit/ChecksTheRevOfAKey"},
	{"checks after it writes", "Commit/ChecksBeforeItWrites Commit/ChecksThatAKeyIsAbsent"},
	{"ignores checks on keys that it does not write", "Commit/ChecksKeysThatItDoesNotWrite Commit/WithoutOpsIsACheck " +
		"Race/OfTwoThatCheckWhatTheOtherWritesOneWins Race/OfTwoThatInsertWhatTheOtherChecksAbsentOneWins " +
		"Race/OfACheckAndADeleteOneWins"},
	{"checks no deletes", "Commit/DeletesWithACheck"},
	{"names every checked key", "Commit/ConflictNamesFailedKeysAndWritesNothing"},
	{"names no key", "Commit/ConflictNamesFailedKeysAndWritesNothing"},
	{"writes half of what it refuses", "Commit/RefusesInvalidBatch Commit/RefusedStaysUndone Limit/OfAKey Limit/OfAValue"},
	{"writes what it refuses, late", "Commit/RefusedStaysUndone"},
	{"checks what its handle wrote last", "Commit/ConflictsWithAnotherHandle"},
	{"knows no check without ops", "Commit/WithoutOpsIsACheck"},
	{"gives checks a Rev", "Commit/WithoutOpsIsACheck Commit/OfNothing"},
	{"takes an empty value for absent", "Commit/EmptyValueIsNotAbsence"},
	{"writes no empty value", "Commit/EmptyValueIsNotAbsence"},
	{"keeps the batch", "Commit/KeepsNothingOfTheBatch"},
	{"writes over values", "Read/ValuesStayAsTheyWere"},
	{"sorts the batch", "Commit/LeavesTheBatchAlone"},
	{"takes a key twice", "Commit/RefusesInvalidBatch"},

	{"gives each op a Rev", "Rev/IsOneForABatch"},
	{"keeps the Rev of an equal value", "Rev/IsNewForAnEqualValue"},
	{"reuses the Revs of deleted keys", "Rev/IsNotReusedAfterDelete"},
	{"gives what it checks a new Rev", "Rev/StaysWhereNothingIsWritten"},
	{"loses increments of its Rev", "Rev/IsNewForEveryCommit"},

	{"calls what is too large invalid", "Limit/OfAKey Limit/OfAValue Limit/OfOps Limit/OfChecks Limit/OfABatch"},
	{"takes less than a full batch", "Limit/OfABatch"},
	{"takes fewer ops", "Limit/OfOps"},
	{"takes fewer checks", "Limit/OfChecks"},
	{"forgets the last check", "Limit/OfChecks"},

	{"is not atomic", "Race/InsertHasOneWinner Race/SwapHasOneWinner Race/IncrementsAreNotLost " +
		"Race/OfTwoThatCheckWhatTheOtherWritesOneWins Race/OfTwoThatInsertWhatTheOtherChecksAbsentOneWins " +
		"Race/OfACheckAndADeleteOneWins"},
	{"lets others see one half", "Race/TransfersKeepTheTotal Get/IsOnePointInTime"},
	{"conflicts at random", "Race/CommitsOfDifferentKeysDoNotConflict Race/ChecksOfOneKeyDoNotConflict"},
	{"deadlocks at times", "Race/CommitsWithoutChecksDoNotConflict"},

	{"ignores its context", "Context/EndedBeforeDoesNothing"},
	{"takes time and then obeys its context", "Context/CancelledCommitSaysWhatBecameOfIt"},
	{"cuts what it lists when its context ends", "Context/CancelledReadLeavesDriverUsable"},

	{"waits for a change", "Watch/HintsAtOnce"},
	{"never hints again", "Watch/HintsAfterEachChange"},
	{"hints no deletes", "Watch/HintsAfterEachChange"},
	{"hints to its own handle", "Watch/HintsAfterAChangeByAnotherHandle"},
	{"hints valid prefixes", "Watch/HintsOfEveryPrefix"},
	{"hints before it writes", "Watch/HintsWhenTheChangeCanBeRead"},
	{"drops hints while the listener is busy", "Watch/OwesASlowListenerAHint"},
	{"watches for ever", "Watch/StopsWithItsContext"},
	{"yields the error of its context", "Watch/StopsWithItsContext"},
	{"yields after the caller has stopped", "Watch/StopsWhenTheCallerDoes"},
	{"watches on", "Watch/EndsWithClose"},

	{"works when closed", "Close/MakesAllElseReturnErrClosed"},
	{"closes once", "Close/AgainIsNil"},
	{"is closed to what it has written", "Close/DuringCommitsLosesNone"},
	{"reads nothing when closed", "Close/DuringReadsIsClean"},
	{"closes the engine", "Close/LeavesOtherHandles"},
	{"forgets on Close", "Reopen/KeepsEverything Close/DuringCommitsLosesNone"},
	{"starts its Revs anew", "Reopen/GivesNewRevs"},
}

func TestEveryCheckFindsABug(t *testing.T) {
	checks := map[string]check{}
	for _, g := range groups() {
		for _, c := range g.checks {
			checks[g.name+"/"+c.name] = c
		}
	}
	tried := map[string]bool{}
	for _, b := range bugs {
		for name := range strings.FieldsSeq(b.found) {
			tried[name] = true
			t.Run(name+" finds one that "+b.bug, func(t *testing.T) {
				c, ok := checks[name]
				if !ok {
					t.Fatal("there is no such check")
				}
				v := judge(t, func(tb testing.TB) { c.try(tb, harness(b.bug), 100*time.Millisecond) })
				if v.skipped && testing.Short() {
					t.Skip("the check writes too much for -short")
				}
				if !v.failed {
					t.Fatalf("it does not (skipped: %v)", v.skipped)
				}
				t.Log(v.said[0])
			})
		}
	}
	for name := range checks {
		if !tried[name] {
			t.Errorf("no bug is found by %s", name)
		}
	}
}
