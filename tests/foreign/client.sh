# PROTOCOL HOST PORT LENGTH: bash itself connects.
exec 3<>"/dev/$1/$2/$3"
head -c "$4" >&3
head -c "$4" <&3
