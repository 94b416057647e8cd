package keymail

import (
	"fmt"
	"strconv"
	"strings"

	"conclave/shard"
)

// SavedPrefix begins the keys whose processes load and save a count.
const SavedPrefix = "book-"

// OwnKey is what notes call a part's own process.
func OwnKey(part int) string { return fmt.Sprint("#", part) }

// ownPart is the part of which key means the own process.
func ownPart(key string) (part int, own bool) {
	text, own := strings.CutPrefix(key, "#")
	if !own {
		return 0, false
	}
	part, err := strconv.Atoi(text)
	return part, err == nil
}

// partOf is the part that mail to key is for.
func partOf(key string, parts int) int {
	if part, own := ownPart(key); own {
		return part
	}
	return shard.PartOf(key, parts)
}
