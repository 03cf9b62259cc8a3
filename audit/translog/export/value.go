package export

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// maxDepth is how deep the values of a line may nest; ours nest to 5.
const maxDepth = 16

// parseValue reads one JSON value, and nothing after it: map[string]any, []any, string, json.Number, bool or nil. What
// readers differ in is refused: an object with one name twice, and nesting beyond maxDepth.
func parseValue(text []byte) (any, error) {
	if !json.Valid(text) { // Decoder.Token alone lets some errors of syntax pass
		return nil, invalid("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return nextValue(d, 0)
}

func nextValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, invalid("not JSON")
	}
	if depth > maxDepth {
		return nil, invalid("JSON nested deeper than %d", maxDepth)
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, invalid("not JSON")
			}
			if _, ok := object[name.(string)]; ok {
				return nil, invalid("JSON object with a name twice")
			}
			if object[name.(string)], err = nextValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = d.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := nextValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}

// diff returns the path of the first difference between two values, and whether there is one. Numbers are compared as
// they are written: ours have no fraction and no exponent.
func diff(path string, have, want any) (string, bool) {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		if !ok {
			return path, true
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			v, ok := have[name]
			if !ok {
				return join(path, name), true
			}
			if at, found := diff(join(path, name), v, want[name]); found {
				return at, true
			}
		}
		if len(have) > len(want) {
			return path + ": a member more", true // its name is the forger's text
		}
		return "", false
	case []any:
		have, ok := have.([]any)
		if !ok || len(have) != len(want) {
			return path, true
		}
		for i := range want {
			if at, found := diff(path+"["+strconv.Itoa(i)+"]", have[i], want[i]); found {
				return at, true
			}
		}
		return "", false
	}
	return path, have != want // comparable: string, json.Number, bool, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
