package calendar

import (
	"bytes"
	"encoding/json"
	"unicode"
	"unicode/utf8"
)

// Policy is a calendar of service as data. In JSON, unknown names are refused:
//
//	{"zone": "Europe/Berlin", "hours": ["Mon-Fri 09:00-17:00"],
//	 "holidays": [{"name": "Good Friday", "on": "easter-2"},
//	              {"name": "Christmas Eve", "on": "12-24", "open": ["09:00-12:00"]}]}
type Policy struct {
	// Zone is the IANA name of the zone whose wall clock counts.
	Zone string `json:"zone"`
	// Hours are the hours of service, which must not overlap. None is an error.
	Hours []Shift `json:"hours"`
	// Holidays are the days with hours of their own, or none. The first that falls on a date holds.
	Holidays []Holiday `json:"holidays,omitempty"`
}

// Limits of what is read.
const (
	maxShifts   = 200
	maxHolidays = 5000
	maxWindows  = 1000
	maxExcept   = 5000
)

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field that breaks its rules. It loads the
// zone.
func (p Policy) Validate() error {
	_, err := New(p)
	return err
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	type plain Policy // without this method
	return unmarshal(data, (*plain)(p), func(read *plain) error { return Policy(*read).Validate() })
}

// unmarshal decodes the value that package json has found, without unknown names, and assigns it to v, if it is valid.
func unmarshal[T any](data []byte, v *T, validate func(*T) error) error {
	var read T
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&read); err != nil {
		return invalid("%w", err)
	}
	if err := validate(&read); err != nil {
		return err
	}
	*v = read
	return nil
}

// goodName reports whether a name may stand in logs and reports as it is.
func goodName(name string) bool {
	if name == "" || len(name) > 200 || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
