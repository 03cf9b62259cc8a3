package fence

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Term is the part of a log that was written under one token: all before End that no earlier term holds.
type Term struct {
	Token uint64 `json:"token"`
	End   uint64 `json:"end"`
}

// Divergence says what a former primary has that the present one lacks.
type Divergence struct {
	Fork  uint64 `json:"fork"`  // up to here both logs are one
	Lost  uint64 `json:"lost"`  // after it the former primary alone has so much; 0: it can follow as it is
	Ahead uint64 `json:"ahead"` // after it the present primary has so much
}

// Diverge compares the logs of a former and of the present primary by their terms, each from the beginning. Two logs that
// have written under one token are one up to the lesser end of that term (as leader epochs of Kafka, KIP-101). Terms out of
// order are an error that wraps [opsec.ErrInvalid].
func Diverge(former, present []Term) (Divergence, error) {
	for _, log := range [][]Term{former, present} {
		for i, t := range log {
			if t.Token == 0 || i > 0 && (t.Token <= log[i-1].Token || t.End < log[i-1].End) {
				return Divergence{}, fmt.Errorf("fence: term %d: want tokens that rise from 1 and ends that do not fall: %w",
					i, opsec.ErrInvalid)
			}
		}
	}
	var d Divergence
	for i := 0; i < len(former) && i < len(present) && former[i].Token == present[i].Token; i++ {
		d.Fork = min(former[i].End, present[i].End)
		if former[i].End != present[i].End {
			break
		}
	}
	d.Lost, d.Ahead = end(former)-d.Fork, end(present)-d.Fork
	return d, nil
}

func end(log []Term) uint64 {
	if len(log) == 0 {
		return 0
	}
	return log[len(log)-1].End
}
