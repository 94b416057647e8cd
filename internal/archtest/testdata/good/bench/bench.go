package bench

import _ "github.com/anyone/anything"
