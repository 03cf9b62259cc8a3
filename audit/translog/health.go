package translog

import (
	"errors"
	"io/fs"
	"maps"
	"sync"
	"time"
)

// Health is the condition of a log, for a health page or a meter.
type Health struct {
	Size      uint64            `json:"size"`              // entries on stable storage
	Followed  uint64            `json:"followed"`          // of them in tiles and index
	Signed    uint64            `json:"signed"`            // of them under the latest checkpoint
	Published uint64            `json:"published"`         // of them under the published one, with its witnesses
	Full      bool              `json:"full"`              // the disk is: critical events alone are taken
	Refuses   string            `json:"refuses,omitempty"` // why no event is taken
	Errors    map[string]string `json:"errors,omitempty"`  // what fails now, by part: journal, prepare, tiles, index, checkpoint, witness
	Since     time.Time         `json:"since,omitzero"`    // of the oldest of them
}

// Health returns the condition of the log.
func (l *Log) Health() Health {
	signed, _ := l.signed.get()
	shown, _ := l.shown.get()
	h := Health{
		Size: l.journal.Size(), Followed: l.reader.size.Load(),
		Signed: signed.Size, Published: shown.Size, Full: l.journal.Low(),
	}
	l.mu.Lock()
	if l.refuses != nil {
		h.Refuses = l.refuses.Error()
	}
	l.mu.Unlock()
	h.Errors, h.Since = l.condition.get()
	return h
}

// condition is what fails now.
type condition struct {
	mu     sync.Mutex
	errors map[string]string
	since  map[string]time.Time
}

// set notes the latest outcome of a part, and reports whether it is another than before.
func (c *condition) set(part string, err error) (news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.errors == nil {
		c.errors, c.since = map[string]string{}, map[string]time.Time{}
	}
	_, failed := c.errors[part]
	if err == nil {
		delete(c.errors, part)
		delete(c.since, part)
		return failed
	}
	c.errors[part] = err.Error()
	if !failed {
		c.since[part] = time.Now()
	}
	return !failed
}

func (c *condition) get() (errors map[string]string, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.since {
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	return maps.Clone(c.errors), since
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
