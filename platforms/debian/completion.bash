# bash completion for kinglet. Commands and options come from its own help, so they are never out of date.
_kinglet() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    local commands
    commands=$(kinglet --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
  elif [[ $word == -* ]]; then
    local options
    options=$(kinglet "$command" --help 2>/dev/null | sed -n '/^Options:/,$s/^  \(-h,\)\{0,1\}\(--[a-z0-9-]*\).*/\2/p')
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -F _kinglet kinglet
