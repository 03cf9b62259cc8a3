package catalogue

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/store"
)

// Test is a recovery test, as the catalogue keeps it.
type Test struct {
	ID       string        `json:"id"` // unique within its source, for ever: what is entered twice counts once
	Source   string        `json:"source"`
	Point    string        `json:"point"`    // that was restored
	Location string        `json:"location"` // of the copy that was restored
	Level    plan.Level    `json:"level"`    // of the point; set by the catalogue, as are Site, By and Time
	Site     plan.Site     `json:"site"`     // of the copy
	Took     time.Duration `json:"took"`     // nanoseconds, from the start until the service ran: the measured RTO
	Passed   bool          `json:"passed"`
	Evidence string        `json:"evidence,omitempty"` // digest of the result or of a report, at most 128 bytes
	By       opsec.Actor   `json:"by"`
	Time     time.Time     `json:"time"` // by the catalogue's clock
}

// Tested enters a recovery test ([ActionTest]). One that passed shows that the copy it restored is whole; one that failed does not
// show that it is damaged. One that was entered already is [ErrExists].
func (c *Catalogue) Tested(ctx context.Context, by By, tenant opsec.TenantID, t Test) (Point, error) {
	if !text(t.ID, 1, MaxName) || !text(t.Location, 1, MaxName) || !text(t.Evidence, 0, MaxName) || t.Took < 0 {
		return Point{}, invalid("test: id, location, evidence: want at most %d bytes each, the first two not empty; took: want 0 or more", MaxName)
	}
	return c.onPoint(ctx, by, ActionTest, tenant, t.Source, t.Point, func(w *work, p *Point) error {
		own := t
		own.By, own.Time, own.Level = by.Actor, w.now, p.Level
		known := false
		for _, k := range p.Copies {
			if k.Location == own.Location {
				known, own.Site = true, k.Site
			}
		}
		if !known {
			return invalid("test: location: the point has no copy there")
		}
		if own.Passed {
			if err := p.note(own.Location, true, w.now); err != nil {
				return err
			}
		}
		if err := w.tests.Insert(w.sub, &own); err != nil {
			if errors.Is(err, store.ErrExists) {
				return ErrExists
			}
			return err
		}
		outcome := "failed"
		if own.Passed {
			outcome = "passed"
		}
		return w.tell(ActionTest, pointResource(tenant, t.Source, t.Point), "test", own.ID, "location", own.Location, "result", outcome,
			"took", own.Took.String(), "evidence", own.Evidence)
	})
}

// Tests yields the recovery tests of a source, the oldest first: from <= t < to, where a zero time is no bound.
func (c *Catalogue) Tests(ctx context.Context, who opsec.Actor, tenant opsec.TenantID, source string, from, to time.Time) iter.Seq2[Test, error] {
	return each(c, ctx, who, sourceResource(tenant, source), c.tests, between("", source, from, to))
}

func (t *Test) observed() plan.ObservedTest {
	return plan.ObservedTest{ID: t.ID, Point: t.Point, Level: t.Level, Site: t.Site, At: t.Time, Took: t.Took, Passed: t.Passed}
}

// Findings compares what is there since a time with a strategy: [Catalogue.Observed], then [plan.Check]. Overdue verifications and
// recovery tests are among the findings.
func (c *Catalogue) Findings(ctx context.Context, who opsec.Actor, s plan.Strategy, since time.Time) ([]plan.Finding, error) {
	o, err := c.Observed(ctx, who, s.Tenant, s.Source, since)
	if err != nil {
		return nil, err
	}
	return plan.Check(s, o)
}
