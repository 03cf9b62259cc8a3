package evidence

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/response"
)

// MaxIncidents is how many rows a file of incidents may have.
const MaxIncidents = 1 << 20

// Incidents reads a CSV file of incidents, with a header row that names its columns, in any order; only id and occurred must
// be there:
//
//	id,service,severity,security,occurred,reported,accepted,notified,restored,resolved
//	INC-7,compute,high,false,2026-03-03T04:10:00Z,2026-03-03T04:12:00Z,2026-03-03T04:20:00Z,,2026-03-03T05:00:00Z,
//
// A severity is info, low, medium, high or critical; security is true or false, and false where it is empty. Times are
// those of [States]; an empty one has not come yet. An id that stands twice is an error, as is what
// [response.Incident.Validate] refuses. The first error, an [*Error] or one of r, ends the sequence.
func Incidents(r io.Reader, name string) iter.Seq2[response.Incident, error] {
	return func(yield func(response.Incident, error) bool) {
		for i, err := range incidentRows().read(r, name) {
			if !yield(i, err) {
				return
			}
		}
	}
}

func incidentRows() kind[response.Incident] {
	type row = response.Incident
	at := func(at func(*row) *time.Time) func(*row, string) error {
		return func(r *row, cell string) error {
			t, err := moment(cell)
			*at(r) = time.UnixMilli(t.UnixMilli()).UTC()
			return err
		}
	}
	text := func(at func(*row) *string) func(*row, string) error {
		return func(r *row, cell string) error { *at(r) = strings.Clone(cell); return checkName(cell) }
	}
	seen := map[string]bool{}
	return kind[row]{
		columns: []column[row]{
			{"id", true, text(func(r *row) *string { return &r.ID })},
			{"service", false, text(func(r *row) *string { return &r.Service })},
			{"severity", false, func(r *row, cell string) error {
				if opsec.Severity(cell).Rank() == 0 {
					return errors.New("want info, low, medium, high or critical")
				}
				r.Severity = opsec.Severity(strings.Clone(cell))
				return nil
			}},
			{"security", false, func(r *row, cell string) error {
				if cell != "true" && cell != "false" {
					return errors.New("want true or false")
				}
				r.Security = cell == "true"
				return nil
			}},
			{"occurred", true, at(func(r *row) *time.Time { return &r.Occurred })},
			{"reported", false, at(func(r *row) *time.Time { return &r.Reported })},
			{"accepted", false, at(func(r *row) *time.Time { return &r.Accepted })},
			{"notified", false, at(func(r *row) *time.Time { return &r.Notified })},
			{"restored", false, at(func(r *row) *time.Time { return &r.Restored })},
			{"resolved", false, at(func(r *row) *time.Time { return &r.Resolved })},
		},
		finish: func(r *row, n uint64) error {
			if n > MaxIncidents {
				return errors.New("more than " + strconv.Itoa(MaxIncidents) + " incidents")
			}
			if err := r.Validate(); err != nil {
				var f *response.Fault
				if errors.As(err, &f) {
					return fmt.Errorf("%s: %s", f.Path, f.Text)
				}
				return err
			}
			if seen[r.ID] {
				return fmt.Errorf("id %q is there twice", r.ID)
			}
			seen[r.ID] = true
			return nil
		},
	}
}
