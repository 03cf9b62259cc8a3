package evidence

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec/sla/meter"
)

// The moments that evidence may have: the years 1970 to 9999.
const (
	firstMoment = 0
	lastMoment  = 253_402_300_799_999
)

var errMoment = errors.New("want a time such as 2026-03-01T00:00:00Z, in the years 1970 to 9999")

// moment reads RFC 3339. [time.Parse] takes more: an hour of one digit, a comma, an offset of any hours.
func moment(text string) (time.Time, error) {
	const zone = len("+01:00")
	if n := len(text); n < len("2026-03-01T00:00:00Z") || n > 64 || text[13] != ':' || text[19] == ',' ||
		text[n-1] != 'Z' && (text[n-zone+1:n-3] > "23" || text[n-2:] > "59") {
		return time.Time{}, errMoment
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !moments(t.UnixMilli()) {
		return time.Time{}, errMoment
	}
	return t, nil
}

func moments(ms int64) bool { return ms >= firstMoment && ms <= lastMoment }

var errName = fmt.Errorf("want 1 to %d bytes of UTF-8 without control characters", meter.MaxName)

// checkName checks the name of a resource or a source.
func checkName(s string) error {
	if s == "" || len(s) > meter.MaxName || !utf8.ValidString(s) {
		return errName
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errName
	}
	return nil
}
