package audit

import (
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
)

// The actions of the events that this package itself emits, in the name of [opsec.Provider].
const (
	// ActionGap says that a sink has lost events: which sink, how many of which class, between when and when, and
	// the first reason. It goes to the sink concerned as soon as that one accepts again, in the place of what is
	// missing there, and to all the others.
	ActionGap = "audit.gap"
	// ActionFileReplaced is the first event of a log file that took the place of a deleted, replaced or truncated one.
	ActionFileReplaced = "audit.file_replaced"
	// ActionFileRepaired follows a last line that a crash, or a full disk, had cut short.
	ActionFileRepaired = "audit.file_repaired"
)

// notice returns an event about the log itself.
func notice(action string, at time.Time, attrs ...opsec.Attr) *opsec.Event {
	e := opsec.NewEvent(action, at)
	e.Outcome = opsec.Failure
	e.Actor.Kind = opsec.System
	e.System = "audit"
	e.Attrs = attrs
	return e
}

func tenantAttr(key, value string) opsec.Attr {
	return opsec.Attr{Key: key, Value: value, Mark: opsec.Tenant}
}

// gap counts what one sink has lost since its last gap record.
type gap struct {
	total       int
	byClass     map[opsec.Class]int
	first, last time.Time
	reason      string // of the first loss
}

func (g *gap) add(class opsec.Class, at time.Time, reason string) {
	if g.total == 0 {
		*g = gap{byClass: map[opsec.Class]int{}, first: at, reason: reason[:min(len(reason), 512)]}
	}
	g.total++
	g.byClass[class]++
	g.last = at
}

func (g *gap) event(sink string, at time.Time) *opsec.Event {
	attrs := []opsec.Attr{
		tenantAttr("sink", sink),
		tenantAttr("lost", strconv.Itoa(g.total)),
	}
	for _, class := range []opsec.Class{opsec.Critical, opsec.Standard, opsec.BestEffort} {
		if n := g.byClass[class]; n > 0 {
			attrs = append(attrs, tenantAttr("lost_"+string(class), strconv.Itoa(n)))
		}
	}
	return notice(ActionGap, at, append(attrs,
		tenantAttr("first", g.first.UTC().Format(time.RFC3339Nano)),
		tenantAttr("last", g.last.UTC().Format(time.RFC3339Nano)),
		tenantAttr("reason", g.reason))...)
}
