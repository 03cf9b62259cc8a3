package audit

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cloudopsec/opsec"
)

// Slog returns a [Sink] that hands events to h as log records, for people to read: the action is the message, the
// level is Info for what succeeded or is pending, and Warn for the rest. Values more sensitive than most are masked;
// an empty most is [opsec.Tenant], which masks what relates to persons. It is not Durable. Handle is called whatever
// h.Enabled says, since an event is not lost for its level.
func Slog(h slog.Handler, most opsec.Sensitivity) Sink {
	return slogSink{h, cmp.Or(most, opsec.Tenant)}
}

type slogSink struct {
	handler slog.Handler
	most    opsec.Sensitivity
}

func (s slogSink) Durable() bool { return false }

func (s slogSink) Close(context.Context) error { return nil }

func (s slogSink) Write(ctx context.Context, batch []Record) error {
	for _, rec := range batch {
		e := rec.Event.Redacted(s.most)
		level := slog.LevelWarn
		if e.Outcome == opsec.Success || e.Outcome == opsec.Pending {
			level = slog.LevelInfo
		}
		r := slog.NewRecord(e.Time, level, e.Action, 0)
		r.AddAttrs(logAttrs(e)...)
		if err := s.handler.Handle(ctx, r); err != nil {
			return fmt.Errorf("audit: slog: %w", err)
		}
	}
	return nil
}

// logAttrs returns what an event says, without its empty fields.
func logAttrs(e *opsec.Event) []slog.Attr {
	l := logList{}
	l.add("id", string(e.ID))
	l.add("tenant", string(e.Tenant))
	l.add("class", string(e.Class))
	l.add("category", string(e.Category))
	l.add("outcome", string(e.Outcome))
	l.add("system", e.System)
	l.actor("actor", &e.Actor)
	if e.OnBehalfOf != nil {
		l.actor("on_behalf_of", e.OnBehalfOf)
	}
	if (e.Resource != opsec.Resource{}) {
		l.add("resource", e.Resource.String())
	}
	if len(e.Granted) > 0 {
		l = append(l, slog.Any("granted", e.Granted))
	}
	if len(e.Cancelled) > 0 {
		l = append(l, slog.Any("cancelled", e.Cancelled))
	}
	if !e.Began.IsZero() {
		l.add("began", e.Began.UTC().Format(time.RFC3339Nano))
	}
	l.add("intent", string(e.Intent))
	l.add("reason", e.Reason)
	if len(e.Attrs) > 0 {
		var own logList
		for _, a := range e.Attrs {
			own.add(a.Key, a.Value)
		}
		l = append(l, slog.GroupAttrs("attrs", own...))
	}
	return l
}

type logList []slog.Attr

func (l *logList) add(key, value string) {
	if value != "" {
		*l = append(*l, slog.String(key, value))
	}
}

func (l *logList) actor(name string, a *opsec.Actor) {
	var own logList
	own.add("tenant", string(a.Tenant))
	own.add("account", a.Account)
	own.add("person", a.Person)
	own.add("kind", string(a.Kind))
	own.add("session", a.Session)
	if a.IP.IsValid() {
		own.add("ip", a.IP.String())
	}
	own.add("terminal", a.Terminal)
	*l = append(*l, slog.GroupAttrs(name, own...))
}
