-- The ids that are not among `others`.
local function without(ids, others)
  if #others == 0 then return ids end
  local odd, left = {}, {}
  for i = 1, #others do odd[others[i]] = true end
  for i = 1, #ids do
    if not odd[ids[i]] then left[#left + 1] = ids[i] end
  end
  return left
end
