package retention

import "time"

// moment is a time as the clocks of a zone show it: seconds since 1970-01-01 00:00 of that clock. Periods have numbers without gaps, so
// that neither a week at the turn of a year nor a leap day is a special case. An hour that the clock shows twice is one period, as it
// is to the tools.
type moment int64

func momentOf(t time.Time, zone *time.Location) moment {
	_, offset := t.In(zone).Zone()
	return moment(t.Unix() + int64(offset))
}

const secondsOfDay = 24 * 60 * 60

func (m moment) second() int64 { return int64(m) }
func (m moment) minute() int64 { return floor(int64(m), 60) }
func (m moment) hour() int64   { return floor(int64(m), 60*60) }
func (m moment) day() int64    { return floor(int64(m), secondsOfDay) }

// week is of ISO 8601: from Monday on. 1970-01-01 was a Thursday.
func (m moment) week() int64 { return floor(m.day()+3, 7) }

func (m moment) month() int64 {
	y, month, _ := time.Unix(int64(m), 0).UTC().Date()
	return int64(y)*12 + int64(month) - 1
}

func (m moment) year() int64 { return floor(m.month(), 12) }

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
