package export

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// bom says that a message is UTF-8 (RFC 5424, section 6.4).
const bom = "\xef\xbb\xbf"

// sdName is the first part of the SD-ID; the enterprise number follows.
const sdName = "opsec@"

// appendSyslog writes the record by RFC 5424.
func (x *Exporter) appendSyslog(b []byte, r *Record, message Form) []byte {
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(x.priority(r.Event)), 10)
	b = append(b, ">1 "...)
	b = r.Event.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z") // TIME-SECFRAC has at most 6 digits
	for _, field := range []string{x.policy.Host, x.policy.App, "-", messageID(r.Event)} {
		b = append(append(b, ' '), field...)
	}
	b = x.appendElement(append(b, ' '), r)
	b = append(append(b, ' '), bom...)
	if message == OCSF {
		return x.appendOCSF(b, r)
	}
	return x.appendJSON(b, r)
}

// priority is PRIVAL: facility and severity (section 6.2.1).
func (x *Exporter) priority(e *opsec.Event) int {
	return x.policy.Facility*8 + 7 - x.mapping.of(e).Severity.Rank()
}

// messageID is MSGID: the action, as far as it fits into 32 characters.
func messageID(e *opsec.Event) string {
	id := e.Action[:min(len(e.Action), 32)]
	if !printASCII(id, 32) {
		return "-"
	}
	return id
}

// appendElement writes the one SD-ELEMENT (section 6.3).
func (x *Exporter) appendElement(b []byte, r *Record) []byte {
	b = strconv.AppendUint(append(append(b, '['), sdName...), uint64(x.policy.Enterprise), 10)
	b = append(b, ` origin="`...)
	for i := range len(x.policy.Origin) {
		if c := x.policy.Origin[i]; c == '"' || c == '\\' || c == ']' {
			b = append(b, '\\')
		}
		b = append(b, x.policy.Origin[i])
	}
	b = strconv.AppendUint(append(b, `" index="`...), r.Index, 10)
	b = appendHash(append(b, `" leaf="`...), r.LeafHash)
	b = strconv.AppendUint(append(b, `" size="`...), r.Size, 10)
	b = appendHash(append(b, `" root="`...), r.Root)
	return append(b, '"', ']')
}

// syslogHeader is what stands before the message of a line.
type syslogHeader struct {
	priority  int
	time      string
	app       string
	messageID string
	element   string // the SD-ELEMENT, as it stands
}

// parseSyslog takes a line of RFC 5424 apart. A line without an element of ours is [ErrForeign].
func parseSyslog(line []byte) (h syslogHeader, message []byte, err error) {
	text := string(line[:min(len(line), 2048)]) // a header of ours is shorter
	rest, ok := strings.CutPrefix(text, "<")
	pri, rest, ok2 := strings.Cut(rest, ">1 ")
	if h.priority, err = strconv.Atoi(pri); !ok || !ok2 || err != nil || h.priority < 0 || h.priority > 191 || strconv.Itoa(h.priority) != pri {
		return h, nil, fmt.Errorf("syslog: not of RFC 5424: %w", ErrForeign)
	}
	var fields [5]string // time, host, app, process, message id
	for i := range fields {
		fields[i], rest, ok = strings.Cut(rest, " ")
		if !ok || i > 0 && !printASCII(fields[i], 255) {
			return h, nil, fmt.Errorf("syslog: header: %w", ErrForeign)
		}
	}
	h.time, h.app, h.messageID = fields[0], fields[2], fields[4]
	if !strings.HasPrefix(rest, "["+sdName) {
		return h, nil, fmt.Errorf("syslog: no structured data of ours: %w", ErrForeign)
	}
	end, quoted := 0, false
	for ; end < len(rest) && (quoted || rest[end] != ']'); end++ {
		switch {
		case rest[end] == '"':
			quoted = !quoted
		case rest[end] == '\\' && quoted:
			end++
		}
	}
	if end+1 >= len(rest) || rest[end+1] != ' ' {
		return h, nil, invalid("syslog: structured data: want one element, and a space after it")
	}
	h.element = rest[:end+1]
	message = line[len(text)-len(rest)+end+2:]
	return h, bytes.TrimPrefix(message, []byte(bom)), nil
}

// diff names the part of the header that is not what the record proves, or nothing.
func (h *syslogHeader) diff(x *Exporter, r *Record) string {
	at, err := time.Parse(time.RFC3339Nano, h.time)
	switch {
	case h.priority != x.priority(r.Event):
		return "syslog.priority"
	case err != nil || strings.Contains(h.time, ",") || !at.Equal(r.Event.Time.Truncate(time.Microsecond)):
		return "syslog.timestamp"
	case h.app != x.policy.App:
		return "syslog.app_name"
	case h.messageID != messageID(r.Event):
		return "syslog.message_id"
	case h.element != string(x.appendElement(nil, r)):
		return "syslog.structured_data"
	}
	return ""
}
